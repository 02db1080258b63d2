-- The contract's word for a DuckDB JSON type; NULL (the path leads nowhere) is absent.
create or replace temp macro json_kind(type) as
  case type
    when 'OBJECT' then 'object'
    when 'ARRAY' then 'array'
    when 'VARCHAR' then 'string'
    when 'BOOLEAN' then 'boolean'
    when 'NULL' then 'null'
    else if(type is null, 'absent', 'number')
  end
