-- A text without the spaces, tabs, CR and LF at its ends, NULL when nothing else is there.
case
  -- A text whose first and last characters sort after the space has none to lose.
  when :value >= '!' and substr(:value, -1) >= '!' then :value
  else nullif(regexp_replace(:value, :outer_space), '')
end
