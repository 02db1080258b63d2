-- The brackets of a line outside its strings, after as many rounds of taking out the innermost
-- pairs as JSON may nest: empty for JSON that nests no deeper, with a pair left where it does.
reduce(
  sequence(1, :max_depth),
  regexp_replace(regexp_replace(:value, '"(?:[^"\\]++|\\.)*+"'), '[^\[\]{}]+'),
  (brackets, round) -> regexp_replace(brackets, '[\[{][\]}]'),
  brackets -> brackets
)
