-- One row per rejected line that may hold several records or none, by how it begins: an array, or
-- an object whose first key is none of a record's.
with decoded as (
  select source, line, try(from_utf8(line)) as text
  from rejects
)
select source, line
from decoded
where
  regexp_like(text, '^[ \t]*[\[{]')
  and strpos(text, '[') > 0
  and not regexp_like(text, :record_start)
