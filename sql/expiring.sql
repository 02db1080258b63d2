-- One row per facility with an accreditation that expires in the window, in the order of the input.
select
  facility_id, -- VARCHAR: the facility's id
  facility_name, -- VARCHAR: its name
  state, -- VARCHAR: its state's code
  next_expiry, -- DATE: the first day in the window on which one of its accreditations lapses
  line as record -- VARCHAR: its record, byte for byte as it came
from current
where is_expiring
order by source, position
