-- One row per accreditation that expires in the window, the soonest first.
select
  facility_id, -- VARCHAR: the facility's id
  facility_name, -- VARCHAR: its name
  state, -- VARCHAR: its state's code
  accreditation_body, -- VARCHAR: who grants the accreditation
  accreditation_id, -- VARCHAR: its id there
  valid_until, -- DATE: its last day
  days_until_expiry, -- INTEGER: days from the as-of date to that day, negative once it is past
  tier -- VARCHAR: expired, critical (30 days or fewer), high (60), medium (90) or later
from lapsing
order by valid_until, facility_id, item
