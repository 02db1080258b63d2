-- One row per facility: of its records the one that stands where the best one stands.
select eligible.*
from eligible
left join best on best.facility_id = eligible.facility_id
where
  best.facility_id is null
  or (
    best.source = eligible.source
    and best.snapshot_date is not distinct from eligible.snapshot_date
  )
