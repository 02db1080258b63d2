-- One row per lab of a facility; an item of the list that is no object is none.
select
  current.facility_id, -- VARCHAR: the facility's id
  cast(items.item as integer) as item, -- INTEGER: the place in the facility's list of labs, from 1
  meant(element_at(current.labs, items.item).lab_name) as lab_name -- VARCHAR: the lab's name
from current
cross join unnest(transform(current.labs, l -> l.kind)) with ordinality as items (kind, item)
where items.kind = 'object'
order by facility_id, item
