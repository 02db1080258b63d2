-- One row per item of a facility's list of services.
select
  current.facility_id, -- VARCHAR: the facility's id
  cast(items.item as integer) as item, -- INTEGER: the place in the list, from 1
  meant(items.service) as service -- VARCHAR: the service, NULL where the item is no text
from current
cross join unnest(current.services) with ordinality as items (service, item)
order by facility_id, item
