-- One row per facility whose best records differ in nothing but the bytes of their lines: neither
-- date nor source says which is right, and the greater line was taken. Equal lines are one record.
select
  eligible.source,
  eligible.facility_id
from eligible
join best
  on best.facility_id = eligible.facility_id
  and best.source = eligible.source
  and best.snapshot_date is not distinct from eligible.snapshot_date
where best.records > 1
group by eligible.source, eligible.facility_id
having min(eligible.line) <> max(eligible.line)
