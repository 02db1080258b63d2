-- At most one row: a facility id with records that only the bytes of their lines can order.
select facility_id
from records
where not rejected
group by facility_id, snapshot_date, source
having count(*) > 1
limit 1
