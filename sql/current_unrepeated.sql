-- One row per facility, where each has one record only: every eligible record.
select
  source, position, line, facility_id, facility_name, state, employee_count, number_of_services,
  first_expiry, number_of_accreditations, is_expiring, next_expiry, has_expired
from eligible
