-- One row per facility: of its records the one that wins.
with ranked as (
  select
    eligible.*,
    row_number() over (
      partition by eligible.facility_id
      -- Of the same line twice the first one counts, so that the output's order is settled.
      order by
        eligible.snapshot_date desc nulls last, eligible.source desc, eligible.line desc,
        eligible.position
    ) as place
  from eligible
  join repeated on repeated.facility_id = eligible.facility_id
)
select eligible.*, 1 as place
from eligible
where facility_id not in (select facility_id from repeated)
union all
select ranked.*
from ranked
where place = 1
