-- One row: how many lines came in and what became of them, each counted by itself.
select
  (select count(*) from records) as lines,
  (select count(*) from records where not rejected) as accepted,
  (select count(*) from records where rejected) as rejected,
  (select count(*) from current) as current_records,
  (select count(*) from records where not rejected)
    - (select count(distinct facility_id) from eligible) as superseded
