-- One row per input file that has lines: what became of them, each count by itself.
with counted as (
  select
    source,
    count(*) as lines,
    count_if(not rejected) as accepted,
    count_if(rejected) as rejected
  from records
  group by source
),
winning as (
  select source, count(*) as current_records
  from current
  group by source
)
select
  counted.source,
  counted.lines,
  counted.accepted,
  counted.rejected,
  coalesce(winning.current_records, 0) as current_records
from counted
left join winning on winning.source = counted.source
order by counted.source
