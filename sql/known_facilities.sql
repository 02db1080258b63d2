-- One row per facility: what the next run compares its own facilities with.
select
  facility_id,
  source,
  facility_name,
  state,
  employee_count,
  number_of_services,
  first_expiry,
  latest_expiry
from current
