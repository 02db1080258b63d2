-- One row per input file and broken rule: a facility whose record breaks it.
select source, reason, min(facility_id) as facility_id
from kept_issues
where facility_id is not null
group by source, reason
order by source, reason
