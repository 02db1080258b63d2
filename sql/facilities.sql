-- One row per facility: the scalar fields of its record.
select
  facility_id, -- VARCHAR: the facility's id, the key of this table
  facility_name, -- VARCHAR: its name
  address, -- VARCHAR: the street address of its location
  city, -- VARCHAR: the city of its location
  state, -- VARCHAR: its state's code
  zip, -- VARCHAR: the ZIP code of its location
  employee_count, -- BIGINT: its employees
  snapshot_date, -- DATE: the day of its record, else that of the record's folder
  source -- VARCHAR: the file that its record came from
from current
order by facility_id
