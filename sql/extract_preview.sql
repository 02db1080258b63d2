-- The first ten rows of the extract.
select *
from extracted
order by facility_id
limit 10
