-- Whether a text from json_transform can only come from a JSON string, a boolean or a whole
-- number as written: it also gives the text of objects, and some numbers rewritten (-0 as 0).
-- Comparing first characters as text costs a tenth of a pattern.
create or replace temp macro json_plain(text) as
  case
    -- What begins with a capital letter is neither a number nor a list nor an object.
    when text >= ':' and text < '[' then true
    when text is null then true
    when not (
      (text >= '-' and text < '.') or (text >= '0' and text < ':')
      or (text >= '[' and text < '\') or (text >= '{' and text < '|')
    ) then true
    when text like '____-__-__' then true
    when regexp_matches(text, '^[0-9]{1,18}$') then text <> '0'
    else not regexp_matches(text, '^([{\[]|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$)')
  end
