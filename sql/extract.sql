-- One row per facility: its key figures.
select
  facility_id,
  facility_name,
  employee_count,
  number_of_services as number_of_offered_services,
  first_expiry as expiry_date_of_first_accreditation
from current
where not :only_accredited or number_of_accreditations > 0
order by facility_id
