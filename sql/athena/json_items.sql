-- The items of a JSON value that is an array; else NULL.
if(substr(json_format(:value), 1, 1) = '[', cast(:value as array(json)))
