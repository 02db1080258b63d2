-- A text as it is meant: trimmed, NULL when nothing else is there or a word for nothing.
case
  -- As most texts are: nothing to trim, and longer than any such word.
  when length(:value) > :longest_null_word and :value >= '!' and substr(:value, -1) >= '!'
  then :value
  when not says_nothing(regexp_replace(:value, :outer_space))
  then nullif(regexp_replace(:value, :outer_space), '')
end
