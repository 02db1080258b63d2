-- The kind of a field of a record. `found` is what json_transform made of it, NULL where it is not
-- of the `expected` kind; only then its JSON type counts.
create or replace temp macro json_field_kind(record, found, expected, type) as
  case
    when record is null then 'absent'
    when found is not null then expected
    else json_kind(type)
  end
