-- One row per raw line: what it is, and the fields of its record as text. It judges nothing.
with located as (
  select
    -- A line whose file nobody told of stays, under the name that Athena has for the file.
    coalesce(raw_files.source, raw_lines."$path") as source,
    raw_files.file_number,
    raw_files.folder_date,
    -- A line that ingest set aside is its bytes in base64 (or their place), U+0001, the reason.
    if(raw_files.landed, raw_lines.rest) as set_aside,
    case
      when raw_lines.rest is not null and coalesce(not raw_files.landed, true)
        then regexp_replace(concat(raw_lines.line, chr(1), raw_lines.rest), '^[\x1e\x{feff}]+')
      when starts_with(raw_lines.line, '{') then raw_lines.line
      -- Record separators and byte order marks before a record belong to no record.
      else regexp_replace(raw_lines.line, '^[\x1e\x{feff}]+')
    end as line
  from raw_lines
  left join raw_files on raw_files.path = raw_lines."$path"
  where
    raw_lines.rest is not null
    or starts_with(raw_lines.line, '{')
    or not regexp_like(raw_lines.line, '^[\x1e\x{feff}]*[ \t]*\z')
),
sized as (
  select
    file_number,
    source,
    folder_date,
    set_aside,
    line,
    case
      when set_aside is not null then set_aside
      when length(to_utf8(line)) > :max_line_bytes then 'too_large'
      -- Text that has no meaning as UTF-8 comes back with other characters in its place.
      when from_utf8(to_utf8(line)) <> line then 'not_utf8'
    end as unread_kind
  from located
),
nested as (
  select
    file_number,
    source,
    folder_date,
    set_aside,
    line,
    unread_kind,
    -- Nesting too deep opens one kind of bracket more than half as often.
    if(
      unread_kind is null
      and (
        strpos(line, '{', :max_depth / 2 + 1) > 0
        or strpos(line, '[', :max_depth / 2 + 1) > 0
      ),
      json_brackets(line)
    ) as brackets
  from sized
),
parsed as (
  select
    file_number,
    source,
    folder_date,
    set_aside,
    line,
    case
      when unread_kind is not null then unread_kind
      when regexp_like(brackets, '[\[{][\]}]') then 'too_deep'
      when brackets <> '' then 'not_json'
    end as unparsed_kind,
    -- What nests by the thousand, closed or not, would end the whole query.
    if(unread_kind is null and coalesce(brackets = '', true), try(json_parse(line))) as document
  from nested
),
typed as (
  select
    file_number,
    source,
    folder_date,
    set_aside,
    line,
    case
      when unparsed_kind is not null then unparsed_kind
      when document is null then 'not_json'
      when strpos(line, '\u') > 0 and json_unpaired(line) then 'not_json'
      else json_kind(document)
    end as kind,
    document
  from parsed
),
opened as (
  select
    file_number,
    source,
    folder_date,
    set_aside,
    line,
    kind,
    case
      when kind <> 'object' then null
      when
        strpos(json_format(document), 'Infinity"') > 0
        or regexp_like(line, '[:,\[][ \t]*-0')
      then json_parse(json_plain(line))
      else document
    end as document
  from typed
),
listed as (
  select
    file_number,
    source,
    folder_date,
    set_aside,
    line,
    kind,
    document,
    json_extract(document, '$.location') as location,
    json_items(json_extract(document, '$.services')) as services,
    json_items(json_extract(document, '$.labs')) as labs,
    json_items(json_extract(document, '$.accreditations')) as accreditations
  from opened
)
select
  file_number,
  source,
  folder_date,
  line,
  set_aside is not null as line_is_encoded,
  cast(null as bigint) as position,
  kind,
  json_text(json_extract(document, '$.facility_id')) as facility_id,
  -- A number that has no text: not whole as written, or of too many digits.
  json_kind(json_extract(document, '$.facility_id')) = 'number'
    and json_text(json_extract(document, '$.facility_id')) is null as facility_id_is_number,
  json_text(json_extract(document, '$.facility_name')) as facility_name,
  json_text(json_extract(location, '$.address')) as address,
  json_text(json_extract(location, '$.city')) as city,
  json_text(json_extract(location, '$.state')) as state,
  json_text(json_extract(location, '$.zip')) as zip,
  json_text(json_extract(document, '$.employee_count')) as employee_count,
  json_text(json_extract(document, '$.snapshot_date')) as snapshot_date,
  json_kind(json_extract(document, '$.employee_count')) not in ('absent', 'null') as employee_count_given,
  json_kind(json_extract(document, '$.snapshot_date')) not in ('absent', 'null') as snapshot_date_given,
  json_kind(location) as location_kind,
  json_kind(json_extract(document, '$.services')) as services_kind,
  json_kind(json_extract(document, '$.labs')) as labs_kind,
  json_kind(json_extract(document, '$.accreditations')) as accreditations_kind,
  cast(cardinality(services) as bigint) as number_of_services,
  transform(services, s -> json_text(s)) as services,
  transform(
    labs,
    l -> cast(
      row(
        json_kind(l),
        json_text(json_extract(l, '$.lab_name')),
        transform(json_items(json_extract(l, '$.certifications')), c -> json_text(c))
      ) as row(kind varchar, lab_name varchar, certifications array(varchar))
    )
  ) as labs,
  transform(
    accreditations,
    -- NULL for an item that is no object.
    a -> if(
      json_kind(a) = 'object',
      cast(
        row(
          json_text(json_extract(a, '$.accreditation_body')),
          json_text(json_extract(a, '$.accreditation_id')),
          json_given(json_extract(a, '$.valid_until'))
        ) as row(accreditation_body varchar, accreditation_id varchar, valid_until varchar)
      )
    )
  ) as accreditations
from listed
