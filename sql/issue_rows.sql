-- One row per issue, as found.
select source, facility_id, reason, severity, field, item
from issues
order by position
