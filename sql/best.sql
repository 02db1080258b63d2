-- One row per facility with more than one eligible record: where its best ones stand, and how many
-- there are that only the bytes of their lines can order.
with repeated as (
  select facility_id
  from eligible
  group by facility_id
  having count(*) > 1
),
ranked as (
  select
    eligible.facility_id,
    eligible.snapshot_date,
    eligible.source,
    rank() over (
      partition by eligible.facility_id
      order by eligible.snapshot_date desc nulls last, eligible.source desc
    ) as place
  from eligible
  join repeated on repeated.facility_id = eligible.facility_id
)
select facility_id, snapshot_date, source, count(*) as records
from ranked
where place = 1
group by facility_id, snapshot_date, source
