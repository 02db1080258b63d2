-- Whether a text without spaces at its ends is a word for nothing.
case
  -- Most texts are longer than any such word. A list of the words would become a join in DuckDB.
  when length(:value) > :longest_null_word then false
  else regexp_like(:value, :null_words)
end
