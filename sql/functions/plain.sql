-- A spelling without dots and commas, a single space between its words and none at its ends.
regexp_replace(
  regexp_replace(regexp_replace(:value, '[.]'), '[ ,\t\r\n]+', ' '),
  '^ | \z'
)
