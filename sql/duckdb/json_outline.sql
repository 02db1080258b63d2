-- What is left of a line when its string literals are emptied: brackets, numbers, words.
create or replace temp macro json_outline(line) as
  regexp_replace(line, '"([^"\\]|\\.)*"', '""', 'g')
