-- A JSON value as text: a string, a boolean, or a whole number of at most 18 digits; else NULL.
if(regexp_like(json_format(:value), '^(?:["tf]|[0-9]{1,18}\z)'), json_extract_scalar(:value, '$'))
