-- One row per input file: how many of its facilities are not live, are live no more, and differ. A
-- facility that is live is counted with the file that its live record came from.
with compared as (
  select
    coalesce(live.source, current.source) as source,
    live.facility_id is null as is_added,
    current.facility_id is null as is_gone,
    current.facility_name is distinct from live.facility_name as has_other_name,
    current.state is distinct from live.state as has_other_state,
    current.employee_count is distinct from live.employee_count as has_other_count,
    current.number_of_services is distinct from live.number_of_services
      as has_other_number,
    current.first_expiry is distinct from live.first_expiry
      or current.latest_expiry is distinct from live.latest_expiry as has_other_dates
  from current
  full join live on live.facility_id = current.facility_id
)
select
  source,
  count_if(is_added) as added,
  count_if(is_gone) as gone,
  count_if(not is_added and not is_gone) as kept,
  count_if(not is_added and not is_gone and has_other_name) as facility_name,
  count_if(not is_added and not is_gone and has_other_state) as state,
  count_if(not is_added and not is_gone and has_other_count) as employee_count,
  count_if(not is_added and not is_gone and has_other_number) as number_of_services,
  count_if(not is_added and not is_gone and has_other_dates) as dates
from compared
group by source
