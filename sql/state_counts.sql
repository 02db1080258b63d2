-- One row per state that has a facility, most accredited facilities first.
with counted as (
  select
    state,
    cast(count_if(number_of_accreditations > 0) as bigint) as accredited_facilities,
    count(*) as facilities,
    -- Ten counts of 18 digits would not fit a BIGINT.
    sum(cast(coalesce(employee_count, 0) as decimal(38, 0))) as employees,
    cast(sum(number_of_accreditations) as bigint) as accreditations
  from current
  group by state
  union all
  select listed.state, 0, 0, 0, 0
  from unnest(:states) as listed (state)
  where :include_zero and listed.state not in (select state from current)
)
select
  state, -- VARCHAR: the state's code, UNKNOWN, or what stands where a state belongs, upper-cased
  accredited_facilities, -- BIGINT: its facilities that have an accreditation
  facilities, -- BIGINT: all its facilities
  employees, -- DECIMAL(38,0): the employees of all its facilities
  accreditations -- BIGINT: the accreditations of all its facilities
from counted
order by accredited_facilities desc, state
