-- One row per facility with an expiring accreditation: its input line, byte for byte.
select line
from current
where is_expiring
order by source, position
