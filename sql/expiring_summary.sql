-- One row: the facilities with an expiring accreditation, and those with one already expired.
select
  count_if(is_expiring) as expiring,
  count_if(has_expired) as already_expired
from current
