-- One row: how many rejected lines a mended line has answered.
select count(*) as resolved
from quarantined
where is_resolved
