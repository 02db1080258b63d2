-- The contract's word for a JSON text as json_transform gives it, told by its first character.
create or replace temp macro json_text_kind(text) as
  case left(cast(text as varchar), 1)
    when '{' then 'object'
    when '[' then 'array'
    when '"' then 'string'
    when 't' then 'boolean'
    when 'f' then 'boolean'
    when 'n' then 'null'
    else if(text is null, 'absent', 'number')
  end
