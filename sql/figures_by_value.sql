-- One row per input file, population and value: how many records break a rule, are of a snapshot, or
-- have a latest date of their accreditations.
with broken_rules as (
  select 'accepted' as population, source, broken
  from records
  where not rejected and broken <> ''
  union all
  select 'current', source, broken
  from current
  where broken <> ''
)
select population, source, 'reason' as about, reasons.reason as value, count(*) as records
from broken_rules
cross join unnest(split(broken, ' ')) as reasons (reason)
group by population, source, reasons.reason
union all
select 'current', source, 'reason', reason, count(*)
from issues
where reason = 'order_undecided'
group by source, reason
union all
select 'current', source, 'snapshot', cast(snapshot_date as varchar), count(*)
from current
group by source, snapshot_date
union all
select 'current', source, 'expiry', cast(latest_expiry as varchar), count(*)
from current
group by source, latest_expiry
