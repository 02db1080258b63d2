-- One row per facility id that more than one eligible record has.
select facility_id
from eligible
group by facility_id
having count(*) > 1
