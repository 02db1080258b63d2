-- A scalar as text. The value's type is looked up only where its text leaves a doubt; a number
-- counts when it is whole and has at most 18 digits, an object or array never.
create or replace temp macro json_text(text, line, path) as
  case
    when json_plain(text) then text
    else case json_type(line, path)
      when 'VARCHAR' then text
      when 'UBIGINT' then if(length(text) <= 18, text, null)
    end
  end
