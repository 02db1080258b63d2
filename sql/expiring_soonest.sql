-- One row per facility with an expiring accreditation, those that lapse first on top.
select
  facility_id,
  facility_name,
  state,
  next_expiry,
  date_diff('day', :as_of, next_expiry) as days
from current
where is_expiring
order by next_expiry, facility_id
