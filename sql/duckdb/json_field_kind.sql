-- The kind of a field of a record. `found` is what json_transform made of it, NULL where it is not
-- of the `expected` kind; only then is the line looked at again.
create or replace temp macro json_field_kind(record, found, expected, line, path) as
  case
    when record is null then 'absent'
    when found is not null then expected
    else json_kind(json_type(line, path))
  end
