-- One row per facility: its key figures.
select
  facility_id, -- VARCHAR: the facility's id
  facility_name, -- VARCHAR: its name
  employee_count, -- BIGINT: its employees
  number_of_services as number_of_offered_services, -- INTEGER: the length of its list of services
  first_expiry as expiry_date_of_first_accreditation -- DATE: the last day of its first accreditation
from current
where not :only_accredited or number_of_accreditations > 0
order by
  if(:soonest_first, array_min(filter(accreditation_dates, d -> d >= :as_of))) nulls last,
  facility_id
