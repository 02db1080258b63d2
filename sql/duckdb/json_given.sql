-- A scalar as text, and {} for a value that is there and has none: a list, an object, another
-- number. What is absent or null stays NULL.
create or replace temp macro json_given(text, line, path) as
  coalesce(json_text(text, line, path), if(text is null, null, '{}'))
