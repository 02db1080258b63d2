-- One row per line of a file of mended lines, in its order: the rules it breaks, and whose it is.
select
  split(broken, ' ') as reasons,
  rejected,
  facility_id
from records
order by position
