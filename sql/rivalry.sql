-- One row: whether any facility has more than one record, and whether lines have to decide.
select
  count(*) > 0 as has_repeated,
  coalesce(max(records) > 1, false) as is_contested
from best
