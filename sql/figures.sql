-- One row per input file and population (its accepted records, its current ones): how many records,
-- items of their accreditations and accredited facilities, and how many records have each field.
with counted as (
  select
    'accepted' as population,
    source,
    number_of_items,
    number_of_objects,
    number_of_given_dates,
    number_of_dates,
    number_of_accreditations,
    given
  from records
  where not rejected
  union all
  select
    'current',
    source,
    number_of_items,
    number_of_objects,
    number_of_given_dates,
    number_of_dates,
    number_of_accreditations,
    given
  from current
)
select
  population,
  source,
  count(*) as records,
  cast(sum(number_of_items) as bigint) as items,
  cast(sum(number_of_objects) as bigint) as objects,
  cast(sum(number_of_given_dates) as bigint) as given_dates,
  cast(sum(number_of_dates) as bigint) as dates,
  count_if(number_of_accreditations > 0) as accredited,
  count_if(bitwise_and(given, :given_facility_name) > 0) as facility_name,
  count_if(bitwise_and(given, :given_location) > 0) as location,
  count_if(bitwise_and(given, :given_address) > 0) as address,
  count_if(bitwise_and(given, :given_city) > 0) as city,
  count_if(bitwise_and(given, :given_state) > 0) as state,
  count_if(bitwise_and(given, :given_zip) > 0) as zip,
  count_if(bitwise_and(given, :given_employee_count) > 0) as employee_count,
  count_if(bitwise_and(given, :given_services) > 0) as services,
  count_if(bitwise_and(given, :given_labs) > 0) as labs,
  count_if(bitwise_and(given, :given_accreditations) > 0) as accreditations,
  count_if(bitwise_and(given, :given_accreditation_body) > 0) as accreditation_body,
  count_if(bitwise_and(given, :given_accreditation_id) > 0) as accreditation_id,
  count_if(bitwise_and(given, :given_snapshot_date) > 0) as snapshot_date,
  count_if(number_of_given_dates > 0) as valid_until
from counted
group by population, source
