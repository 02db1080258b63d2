-- A text as a date where it is a day as YYYY-MM-DD and nothing else, nor a word for nothing.
try_cast(
  if(regexp_like(:value, :calendar_day) and not value_says_nothing(:value), :value) as date
)
