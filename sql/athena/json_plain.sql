-- A line with 0.5 for each number outside its strings that is not plain digits. Trino's parser
-- makes 0 of -0 and the string "Infinity" of 1e400, and none of these counts.
regexp_replace(
  :value,
  '("(?:[^"\\]++|\\.)*+")|-[0-9.eE+-]+|[0-9]+[.eE][0-9.eE+-]*',
  token -> coalesce(element_at(token, 1), '0.5')
)
