-- A value as a text that no spreadsheet runs: an apostrophe before what would be a formula. A
-- number stays: it is none, with its sign neither.
if(
  regexp_like(cast(:value as varchar), :formula)
  and not regexp_like(cast(:value as varchar), :number_as_written),
  concat('''', cast(:value as varchar)),
  cast(:value as varchar)
)
