-- One row per facility id with records that only the bytes of their lines can put in order.
select distinct facility_id
from (
  select facility_id
  from records
  where not rejected
  group by facility_id, snapshot_date, source
  having count(*) > 1
) as ties
