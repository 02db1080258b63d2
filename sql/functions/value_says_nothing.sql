-- Whether a day, a whole number or a state is a word for nothing: few runs have such words.
if(:null_words_have_values, says_nothing(:value), false)
