-- One row: how many facilities have an accreditation that has already expired.
select count(*) as already_expired
from current
where has_expired
