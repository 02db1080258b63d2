-- The brackets of a line outside its strings, after `levels` rounds of taking out the innermost
-- pairs: empty for JSON that nests no deeper, with a pair left where it does.
create or replace temp macro json_brackets(line, levels) as
  list_reduce(
    range(levels),
    lambda brackets, round: regexp_replace(brackets, '[\[{][\]}]', '', 'g'),
    regexp_replace(json_outline(line), '[^\[\]{}]', '', 'g')
  )
