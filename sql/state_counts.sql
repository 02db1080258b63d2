-- One row per state that has a facility, most accredited facilities first.
select
  state,
  count_if(number_of_accreditations > 0) as accredited_facilities,
  count(*) as facilities,
  -- Ten counts of 18 digits would not fit a BIGINT.
  sum(cast(coalesce(employee_count, 0) as decimal(38, 0))) as employees,
  cast(sum(number_of_accreditations) as bigint) as accreditations
from current
group by state
order by accredited_facilities desc, state
