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
    if(items.kind = 'object', 'accreditation_date_invalid', 'accreditation_invalid') as reason,
    items.item
  from records
  cross join unnest(transform(records.accreditations, a -> a.kind)) with ordinality
    as items (kind, item)
  where
    records.broken <> ''
    and (items.kind <> 'object' or element_at(records.accreditation_dates, items.item) is null)
    and contains(
      split(records.broken, ' '),
      if(items.kind = 'object', 'accreditation_date_invalid', 'accreditation_invalid')
    )
),
found as (
  select source, facility_id, reason, cast(null as bigint) as item
  from broken_rules
  where reason not in ('accreditation_invalid', 'accreditation_date_invalid')
  union all
  select source, facility_id, reason, item
  from broken_items
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
