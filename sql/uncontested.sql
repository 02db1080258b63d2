-- No row: the facility ids of `contested` before anyone has looked for them.
select cast(null as varchar) as facility_id
where false
