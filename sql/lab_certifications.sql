-- One row per item of a lab's list of certifications.
with labs_listed as (
  select
    current.facility_id,
    items.item as lab_item,
    element_at(current.labs, items.item).certifications as certifications
  from current
  cross join unnest(transform(current.labs, l -> l.kind)) with ordinality as items (kind, item)
)
select
  labs_listed.facility_id, -- VARCHAR: the facility's id
  cast(labs_listed.lab_item as integer) as lab_item, -- INTEGER: the item of the lab in facility_labs
  cast(items.item as integer) as item, -- INTEGER: the place in the lab's list, from 1
  meant(items.certification) as certification -- VARCHAR: the certification, NULL if it is no text
from labs_listed
cross join unnest(labs_listed.certifications) with ordinality as items (certification, item)
order by facility_id, lab_item, item
