-- One row per rejected line: its bytes and all its reasons. Of a line too large to carry,
-- `kept_in` names the file beside the rejects that holds it; of a whole file the raw file stays.
select
  source, -- VARCHAR: the file that the line came from
  split(broken, ' ') as reasons, -- VARCHAR[]: all the rules that it breaks
  case
    when not line_is_encoded then to_utf8(line)
    when broken = 'not_utf8' or broken = 'not_json' then from_base64(line)
  end as line, -- BLOB: its bytes
  if(line_is_encoded and broken = 'too_large', line) as kept_in -- VARCHAR: the file with its bytes
from records
-- A filter on a column as it is stored, which spares reading the lines where none is rejected.
where rejected and broken <> ''
order by source, position
