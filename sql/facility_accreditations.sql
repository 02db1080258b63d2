-- One row per accreditation of a facility; an item of the list that is no object is none.
with listed as (
  select
    current.facility_id,
    items.item,
    element_at(current.accreditations, items.item) as accreditation,
    element_at(current.accreditation_dates, items.item) as valid_until
  from current
  cross join unnest(transform(current.accreditations, a -> a is not null)) with ordinality
    as items (is_object, item)
  where items.is_object
)
select
  facility_id, -- VARCHAR: the facility's id
  cast(item as integer) as item, -- INTEGER: the place in the list, from 1
  meant(accreditation.accreditation_body) as accreditation_body, -- VARCHAR: who grants it
  meant(accreditation.accreditation_id) as accreditation_id, -- VARCHAR: its id there
  valid_until -- DATE: its last day, NULL where that is no day as YYYY-MM-DD
from listed
order by facility_id, item
