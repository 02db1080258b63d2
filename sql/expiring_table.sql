-- One row per facility with an expiring accreditation: when the first one lapses, and its line.
select facility_id, facility_name, state, next_expiry, line as record
from current
where is_expiring
order by source, position
