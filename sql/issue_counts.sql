-- One row per rule that was broken: how often.
select reason, count(*) as issues
from issues
group by reason
order by reason
