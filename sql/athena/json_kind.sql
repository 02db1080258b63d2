-- The contract's word for a JSON value, told by its first character; NULL is absent.
case substr(json_format(:value), 1, 1)
  when '{' then 'object'
  when '[' then 'array'
  when '"' then 'string'
  when 't' then 'boolean'
  when 'f' then 'boolean'
  when 'n' then 'null'
  else if(:value is null, 'absent', 'number')
end
