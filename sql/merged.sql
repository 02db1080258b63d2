-- One row per line of curated segments that become one: the columns of a segment, of which
-- `file_number` counts the files of all.
select
  read_number as file_number,
  position,
  facility_id,
  recorded_date,
  broken,
  state,
  employee_count,
  number_of_services,
  number_of_items,
  number_of_objects,
  number_of_given_dates,
  number_of_dates,
  given,
  accreditation_dates,
  unrenewed_dates,
  facility_name,
  line,
  line_is_encoded,
  accreditations
from held
