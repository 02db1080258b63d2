-- One row per accepted record that the --snapshot option lets take part.
select records.*
from records
where
  not rejected
  and coalesce(snapshot_date <= :snapshot_until, true)
  and (
    not :newest_only
    or snapshot_date is not distinct from (select max(snapshot_date) from records where not rejected)
  )
