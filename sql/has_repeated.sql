-- One row: whether any facility has more than one record.
select count(*) > 0 as has_repeated
from repeated
