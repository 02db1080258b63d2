-- One row per raw line: what it is, and the fields of its record as text. It judges nothing.
-- No join here or in what reads this: DuckDB keeps the order of lines only without.
with located as (
  select
    file_number,
    source,
    folder_date,
    -- A line that ingest set aside is its bytes in base64 (or their place), U+0001, the reason.
    if(landed and contains(line, chr(1)), split_part(line, chr(1), 2), null) as set_aside,
    -- Record separators and byte order marks before a record belong to no record.
    if(starts_with(line, '{'), line, regexp_replace(line, '^[\x1e\x{feff}]+', '')) as line,
    rest
  from lines
  where
    line is null
    or starts_with(line, '{')
    or not regexp_matches(line, '^[\x1e\x{feff}]*[ \t]*$')
),
sized as (
  select
    file_number,
    source,
    folder_date,
    set_aside,
    case
      when set_aside is not null then split_part(line, chr(1), 1)
      when line is null or rest is not null then concat(line, getvariable('separator'), rest)
      else line
    end as line,
    coalesce(
      case
        when set_aside is not null then set_aside
        when line is null or rest is not null then 'not_json'
        when strlen(line) > getvariable('max_line_bytes') then 'too_large'
      end,
      json_nesting(line, getvariable('max_depth')),
      if(json_lenient(line), json_malformed(line, getvariable('max_depth')), null),
      -- One malformed line makes TRY go row by row through two thousand: it must not see many.
      if(
        (
          not ends_with(line, '}')
          or (getvariable('has_wrong_escapes') and contains(line, '\u'))
          or getvariable('has_malformed')
        )
        and not json_valid(line),
        json_malformed(line, getvariable('max_depth')),
        null
      )
    ) as unparsed_kind
  from located
),
parsed as (
  select
    *,
    if(
      unparsed_kind is null,
      try(json_transform(line, '{
        "facility_id": "VARCHAR", "facility_name": "VARCHAR", "employee_count": "VARCHAR",
        "location": {
          "address": "VARCHAR", "city": "VARCHAR", "state": "VARCHAR", "zip": "VARCHAR"
        },
        "services": ["NULL"], "labs": ["NULL"], "snapshot_date": "VARCHAR",
        "accreditations": [{
          "accreditation_body": "VARCHAR", "accreditation_id": "VARCHAR", "valid_until": "VARCHAR"
        }]
      }')),
      null
    ) as record,
    -- Not wanted by most: left out of the above, it costs them nothing.
    if(
      unparsed_kind is null,
      try(json_transform(line, '{
        "services": ["VARCHAR"],
        "labs": [{"lab_name": "VARCHAR", "certifications": ["VARCHAR"]}]
      }')),
      null
    ) as nested
  from sized
),
typed as (
  select
    *,
    case
      when unparsed_kind is not null then unparsed_kind
      when record is null then if(
        regexp_matches(line, '^[ \t]*null[ \t]*$'),
        'null',
        json_malformed(line, getvariable('max_depth'))
      )
      when starts_with(line, '{') or regexp_matches(line, '^[ \t]*\{') then 'object'
      else json_kind(json_type(line))
    end as kind,
    -- Looked up together, and only where one of them is not of the kind that it should be: each
    -- look at a long line takes a dozen times its memory.
    case
      when record is not null
        and (
          record.location.state is null
          or record.services is null
          or record.labs is null
          or record.accreditations is null
        )
      then json_type(line, ['$.location', '$.services', '$.labs', '$.accreditations'])
    end as field_types
  from parsed
)
select
  file_number,
  source,
  folder_date,
  line,
  set_aside is not null as line_is_encoded,
  cast(null as bigint) as position,
  kind,
  json_text(record.facility_id, line, '$.facility_id') as facility_id,
  -- A number that has no text: not whole as written, or of too many digits.
  case
    when record.facility_id >= ':' or json_plain(record.facility_id) then false
    else json_kind(json_type(line, '$.facility_id')) = 'number'
      and json_text(record.facility_id, line, '$.facility_id') is null
  end as facility_id_is_number,
  json_text(record.facility_name, line, '$.facility_name') as facility_name,
  json_text(record.location.address, line, '$.location.address') as address,
  json_text(record.location.city, line, '$.location.city') as city,
  json_text(record.location.state, line, '$.location.state') as state,
  json_text(record.location.zip, line, '$.location.zip') as zip,
  json_text(record.employee_count, line, '$.employee_count') as employee_count,
  json_text(record.snapshot_date, line, '$.snapshot_date') as snapshot_date,
  coalesce(record.employee_count is not null, false) as employee_count_given,
  coalesce(record.snapshot_date is not null, false) as snapshot_date_given,
  json_field_kind(record, record.location.state, 'object', field_types[1]) as location_kind,
  json_field_kind(record, record.services, 'array', field_types[2]) as services_kind,
  json_field_kind(record, record.labs, 'array', field_types[3]) as labs_kind,
  json_field_kind(record, record.accreditations, 'array', field_types[4])
    as accreditations_kind,
  length(record.services) as number_of_services,
  case
    when record.services is null then null
    when list_count(list_filter(nested.services, lambda s: json_plain(s)))
      = length(nested.services) then nested.services
    else list_transform(
      json_extract(line, '$.services[*]'), lambda s: json_text(s ->> '$', s, '$')
    )
  end as services,
  case
    when record.labs is null then null
    when list_count(list_filter(nested.labs, lambda l:
      l.lab_name is not null
      and json_plain(l.lab_name)
      and list_count(list_filter(l.certifications, lambda c: json_plain(c)))
        = length(l.certifications)
    )) = length(nested.labs)
    then list_transform(nested.labs, lambda l: {
      'kind': 'object', 'lab_name': l.lab_name, 'certifications': l.certifications
    })
    else list_transform(json_extract(line, '$.labs[*]'), lambda l: {
      'kind': json_kind(json_type(l)),
      'lab_name': json_text(l ->> '$.lab_name', l, '$.lab_name'),
      'certifications': if(
        json_type(l, '$.certifications') = 'ARRAY',
        list_transform(
          json_extract(l, '$.certifications[*]'), lambda c: json_text(c ->> '$', c, '$')
        ),
        null
      )
    })
  end as labs,
  case
    when record.accreditations is null then null
    -- As in most lines: what begins with a capital letter, and what has the length of a day. A
    -- lambda with a pattern would compile it for every two thousand lines.
    when not list_contains(list_transform(record.accreditations, lambda a:
      a.valid_until is not null
      and strlen(a.valid_until) = 10
      and a.accreditation_body >= ':' and a.accreditation_body < '['
      and a.accreditation_id >= ':' and a.accreditation_id < '['
    ), false)
    then record.accreditations
    when not list_contains(list_transform(record.accreditations, lambda a:
      a.valid_until is not null
      and json_plain(a.valid_until)
      and json_plain(a.accreditation_body)
      and json_plain(a.accreditation_id)
    ), false)
    then record.accreditations
    else list_transform(json_extract(line, '$.accreditations[*]'), lambda a: if(
      json_type(a) = 'OBJECT',
      {
        'accreditation_body': json_text(a ->> '$.accreditation_body', a, '$.accreditation_body'),
        'accreditation_id': json_text(a ->> '$.accreditation_id', a, '$.accreditation_id'),
        'valid_until': json_given(a ->> '$.valid_until', a, '$.valid_until')
      },
      null
    ))
  end as accreditations
from typed
