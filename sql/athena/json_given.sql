-- A JSON value as text, and {} for one that is there and has none: a list, an object, another
-- number. What is absent or null stays NULL.
coalesce(json_text(:value), if(json_kind(:value) not in ('absent', 'null'), '{}'))
