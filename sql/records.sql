-- One row per raw line: whether it is rejected, and what the run's options make of its record.
with ruled as (
  select
    judged.*,
    if(
      :reasons_change,
      array_join(
        filter(
          split(
            concat_ws(
              ' ',
              nullif(broken, ''),
              if(
                :has_id_pattern and not regexp_like(facility_id, :id_pattern),
                'facility_id_pattern'
              )
            ),
            ' '
          ),
          r -> not contains(:switched_off, r)
        ),
        ' '
      ),
      broken
    ) as reasons,
    -- As a condition on a list that is nearly always NULL it costs DuckDB nothing.
    if(unrenewed_dates is null or :renewals = 'separate', accreditation_dates, unrenewed_dates)
      as lapsing_dates
  from judged
),
dated as (
  select
    ruled.*,
    if(
      reasons = '', false, cardinality(array_intersect(split(reasons, ' '), :rejecting)) > 0
    ) as rejected,
    filter(accreditation_dates, d -> d >= :as_of) as current_dates,
    filter(lapsing_dates, d -> d between :window_start and :window_end) as expiring_dates
  from ruled
)
select
  source,
  position,
  -- Lines and lists are large: only those that a later query asks for are carried along.
  if(
    :all_lines
    or (:accounted and rejected)
    or (:expiring_lines and cardinality(expiring_dates) > 0),
    line
  ) as line,
  line_is_encoded,
  reasons as broken,
  rejected,
  facility_id,
  facility_name,
  coalesce(
    if(:strict_states and not contains(:states, state), null, state), :unknown_state
  ) as state,
  employee_count,
  number_of_services,
  snapshot_date,
  if(
    :first_accreditation = 'earliest',
    array_min(filter(accreditation_dates, d -> d is not null)),
    element_at(accreditation_dates, 1)
  ) as first_expiry,
  coalesce(
    if(
      :accredited = 'any',
      cardinality(filter(accreditations, a -> a is not null)),
      cardinality(current_dates)
    ),
    0
  ) as number_of_accreditations,
  coalesce(cardinality(expiring_dates) > 0, false) as is_expiring,
  if(cardinality(expiring_dates) > 0, array_min(expiring_dates)) as next_expiry,
  coalesce(
    if(
      unrenewed_dates is null or :renewals = 'separate',
      number_of_dates > cardinality(current_dates),
      cardinality(filter(lapsing_dates, d -> d < :as_of)) > 0
    ),
    false
  ) as has_expired,
  if(
    :all_accreditations
    or (:accounted and reasons <> '')
    or (:expiring_accreditations and cardinality(expiring_dates) > 0),
    accreditations
  ) as accreditations,
  if(
    :all_accreditations
    or (:accounted and reasons <> '')
    or (:expiring_accreditations and cardinality(expiring_dates) > 0),
    accreditation_dates
  ) as accreditation_dates,
  if(:expiring_accreditations and cardinality(expiring_dates) > 0, lapsing_dates)
    as lapsing_dates,
  -- What only the figures of a run ask for.
  given,
  number_of_items,
  number_of_objects,
  number_of_given_dates,
  number_of_dates,
  array_max(filter(accreditation_dates, d -> d is not null)) as latest_expiry,
  address,
  city,
  zip,
  services,
  labs
from dated
