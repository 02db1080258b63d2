-- One row per raw line: its fields trimmed and cast, and the names of the rules that it breaks.
with trimmed as (
  select
    source.*,
    meant(facility_id) as facility_id_text,
    meant(facility_name) as facility_name_text,
    trimmed(state) as state_text,
    element_at(map(:state_spellings, :state_codes), trimmed(state)) as state_as_written,
    trimmed(employee_count) as employee_count_text,
    transform(accreditations, a -> calendar_date(a.valid_until)) as accreditation_dates
  from source
),
spelled as (
  select
    trimmed.*,
    if(
      state_as_written is null and regexp_like(state_text, '[a-z]'),
      translate(state_text, :lower_case, :upper_case),
      state_text
    ) as state_spelling
  from trimmed
),
typed as (
  select
    spelled.*,
    case
      when value_says_nothing(state_text) then null
      when state_as_written is not null then state_as_written
      -- The table has the spellings of the first one, too, and is larger.
      else element_at(map(:plain_spellings, :plain_codes), plain(state_spelling))
    end as state_code,
    try_cast(
      if(
        regexp_like(employee_count_text, :whole_number) and not value_says_nothing(employee_count_text),
        employee_count_text
      ) as bigint
    ) as employee_count_value,
    calendar_date(snapshot_date) as snapshot_date_value,
    coalesce(cardinality(accreditations), 0) as number_of_items,
    coalesce(cardinality(filter(accreditation_dates, d -> d is not null)), 0) as number_of_dates
  from spelled
),
counted as (
  -- The items are looked at one by one only where some of them have no date.
  select
    typed.*,
    coalesce(state_code, if(not says_nothing(state_text), state_spelling)) as state_value,
    if(
      number_of_dates < number_of_items,
      cardinality(filter(accreditations, a -> a is not null)),
      number_of_items
    ) as number_of_objects,
    if(
      number_of_dates < number_of_items,
      cardinality(filter(accreditations, a -> meant(a.valid_until) is not null)),
      number_of_items
    ) as number_of_given_dates,
    if(
      number_of_dates > 1 and number_of_items <= :max_compared_items,
      transform(
        accreditations,
        a -> if(
          a.accreditation_id >= '!' and substr(a.accreditation_id, -1) >= '!',
          a.accreditation_id,
          ''
        )
      )
    ) as compared_ids
  from typed
),
compared as (
  -- Only where an id may repeat, which is told fast for the usual short list, is each item compared
  -- with all others. In a list of many thousands that would take minutes. An id that has to be
  -- trimmed may repeat any other: '' stands for it.
  select
    counted.*,
    if(
      case
        when contains(compared_ids, '') then true
        when number_of_items = 2 then element_at(compared_ids, 1) = element_at(compared_ids, 2)
        when number_of_items = 3 then
          element_at(compared_ids, 1) = element_at(compared_ids, 2)
          or element_at(compared_ids, 1) = element_at(compared_ids, 3)
          or element_at(compared_ids, 2) = element_at(compared_ids, 3)
        else cardinality(array_distinct(compared_ids)) < number_of_items
      end,
      transform(
        accreditations,
        a -> cast(
          row(
            meant(a.accreditation_body),
            meant(a.accreditation_id),
            calendar_date(a.valid_until)
          ) as row(accreditation_body varchar, accreditation_id varchar, valid_until date)
        )
      )
    ) as compared_items
  from counted
)
select
  -- What queries read together stands together, the large columns last: Athena bills the bytes
  -- that it reads, and reads what lies between, too.
  file_number,
  source,
  position,
  facility_id_text as facility_id,
  snapshot_date_value as recorded_date,
  coalesce(snapshot_date_value, folder_date) as snapshot_date,
  -- The reasons in one text, a space between them, empty when no rule is broken: cheaper than
  -- a list for the many rows that break none.
  concat_ws(
    ' ',
    case
      when kind = 'object' then null
      when kind in ('not_utf8', 'not_json', 'too_large', 'too_deep') then kind
      when starts_with(kind, 'file_') then kind
      else 'not_object'
    end,
    case
      when kind <> 'object' or facility_id_text is not null then null
      when facility_id_is_number then 'facility_id_invalid'
      else 'facility_id_missing'
    end,
    if(kind = 'object' and facility_name_text is null, 'facility_name_missing'),
    -- A text that says nothing is absent; what has no text is a list, an object, another number.
    case
      when employee_count_value is not null or not employee_count_given then null
      when employee_count is null or meant(employee_count) is not null
      then 'employee_count_invalid'
    end,
    if(services_kind not in ('array', 'absent', 'null'), 'services_invalid'),
    if(labs_kind not in ('array', 'absent', 'null'), 'labs_invalid'),
    if(accreditations_kind not in ('array', 'absent', 'null'), 'accreditations_invalid'),
    if(number_of_objects < number_of_items, 'accreditation_invalid'),
    if(number_of_given_dates < number_of_objects, 'accreditation_date_missing'),
    if(number_of_dates < number_of_given_dates, 'accreditation_date_invalid'),
    if(kind = 'object' and state_value is null, 'state_missing'),
    if(state_code is null and state_value is not null, 'state_not_recognised'),
    case
      when snapshot_date_value is not null or not snapshot_date_given then null
      when snapshot_date is null or meant(snapshot_date) is not null then 'snapshot_date_invalid'
    end
  ) as broken,
  state_value as state,
  employee_count_value as employee_count,
  cast(coalesce(number_of_services, 0) as integer) as number_of_services,
  cast(number_of_items as integer) as number_of_items,
  cast(number_of_objects as integer) as number_of_objects,
  cast(number_of_given_dates as integer) as number_of_given_dates,
  number_of_dates,
  -- Which fields have a value, a bit for each of GIVEN_FIELDS in contract.py.
  if(facility_name_text is not null, :given_facility_name, 0)
  + if(location_kind not in ('absent', 'null'), :given_location, 0)
  + if(address is not null, :given_address, 0)
  + if(city is not null, :given_city, 0)
  + if(state_value is not null, :given_state, 0)
  + if(zip is not null, :given_zip, 0)
  + if(employee_count_given, :given_employee_count, 0)
  + if(services_kind not in ('absent', 'null'), :given_services, 0)
  + if(labs_kind not in ('absent', 'null'), :given_labs, 0)
  + if(accreditations_kind not in ('absent', 'null'), :given_accreditations, 0)
  + if(
    cardinality(filter(accreditations, a -> a.accreditation_body is not null)) > 0,
    :given_accreditation_body,
    0
  )
  + if(
    cardinality(filter(accreditations, a -> a.accreditation_id is not null)) > 0,
    :given_accreditation_id,
    0
  )
  + if(snapshot_date_given, :given_snapshot_date, 0) as given,
  accreditation_dates,
  -- The same without the dates of items that another item of the list renews; NULL where no id
  -- repeats, which is nearly everywhere. Made here once, so that no later query reads the ids.
  transform(
    compared_items,
    a -> if(
      cardinality(
        filter(
          compared_items,
          b -> b.accreditation_body = a.accreditation_body
            and b.accreditation_id = a.accreditation_id
            and b.valid_until > a.valid_until
        )
      ) = 0,
      a.valid_until
    )
  ) as unrenewed_dates,
  facility_name_text as facility_name,
  line,
  line_is_encoded,
  accreditations,
  meant(address) as address,
  meant(city) as city,
  meant(zip) as zip,
  services,
  labs
from compared
