-- One row per accreditation that expires in the window: whose, which, when, and how soon.
with listed as (
  select
    current.facility_id,
    current.facility_name,
    current.state,
    items.item,
    element_at(current.accreditations, items.item) as accreditation,
    items.valid_until,
    cast(date_diff('day', :as_of, items.valid_until) as integer) as days_until_expiry
  from current
  cross join unnest(current.lapsing_dates) with ordinality as items (valid_until, item)
  where current.is_expiring and items.valid_until between :window_start and :window_end
)
select
  facility_id,
  facility_name,
  state,
  item,
  meant(accreditation.accreditation_body) as accreditation_body,
  meant(accreditation.accreditation_id) as accreditation_id,
  valid_until,
  days_until_expiry,
  tier(days_until_expiry) as tier
from listed
