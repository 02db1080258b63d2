-- One row per facility: of its records the one that wins, where the bytes of lines have to decide.
with ranked as (
  select
    eligible.*,
    row_number() over (
      partition by eligible.facility_id
      -- Of the same line twice the first one counts, so that the output's order is settled.
      order by eligible.line desc, eligible.position
    ) as place
  from eligible
  join best
    on best.facility_id = eligible.facility_id
    and best.source = eligible.source
    and best.snapshot_date is not distinct from eligible.snapshot_date
)
select eligible.*, 1 as place
from eligible
where facility_id not in (select facility_id from best)
union all
select ranked.*
from ranked
where place = 1
