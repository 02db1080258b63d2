-- One row per broken rule and, where it is about an item of a list, per item.
with broken_rules as (
  select records.source, records.facility_id, reasons.reason
  from records
  cross join unnest(split(records.broken, ' ')) as reasons (reason)
  where records.broken <> ''
),
broken_items as (
  select
    records.source,
    records.facility_id,
    items.reason,
    items.item
  from records
  cross join unnest(
    transform(
      records.accreditations,
      a -> case
        when a is null then 'accreditation_invalid'
        when meant(a.valid_until) is null then 'accreditation_date_missing'
        else 'accreditation_date_invalid'
      end
    )
  ) with ordinality as items (reason, item)
  where
    records.broken <> ''
    -- The item has that reason only where it has no date.
    and element_at(records.accreditation_dates, items.item) is null
    and contains(split(records.broken, ' '), items.reason)
),
found as (
  select source, facility_id, reason, cast(null as bigint) as item
  from broken_rules
  where reason not in (
    'accreditation_invalid', 'accreditation_date_missing', 'accreditation_date_invalid'
  )
  union all
  select source, facility_id, reason, item
  from broken_items
  union all
  select source, facility_id, 'order_undecided', cast(null as bigint)
  from undecided
)
select
  found.source, -- VARCHAR: the file that the line came from
  found.facility_id, -- VARCHAR: the facility's id, where the line has one
  found.reason, -- VARCHAR: the rule that was broken
  rules.severity, -- VARCHAR: reject or warn
  rules.field, -- VARCHAR: the field that the rule is about
  found.item -- BIGINT: the place in the list, from 1, where the rule is about an item
from found
join rules on rules.reason = found.reason
order by found.source, found.facility_id, found.reason, found.item
