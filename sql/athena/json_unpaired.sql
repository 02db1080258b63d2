-- Whether an escape in a line is half of a surrogate pair, which Trino's parser lets through. What
-- else is escaped, a backslash above all, and whole pairs are taken out first.
regexp_like(
  regexp_replace(
    :value,
    '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\[^u]',
    ' '
  ),
  '\\u[dD][89a-fA-F]'
)
