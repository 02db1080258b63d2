-- One row per facility with an accreditation that expires in the window, in the order of the input.
with details as (
  select
    facility_id,
    json_format(cast(array_agg(
      cast(
        row(item, accreditation_body, accreditation_id, cast(valid_until as varchar),
          days_until_expiry, tier)
        as row(item bigint, accreditation_body varchar, accreditation_id varchar,
          valid_until varchar, days_until_expiry integer, tier varchar)
      ) order by item
    ) as json)) as expiring
  from lapsing
  group by facility_id
)
select
  current.facility_id, -- VARCHAR: the facility's id
  current.facility_name, -- VARCHAR: its name
  current.state, -- VARCHAR: its state's code
  current.next_expiry, -- DATE: the first day in the window on which an accreditation lapses
  concat(
    regexp_replace(current.line, '\}[ \t]*\z'), ', "expiring": ', details.expiring, '}'
  ) as record -- VARCHAR: its record as it came, with the expiring accreditations under a key added
from current
join details on details.facility_id = current.facility_id
order by current.source, current.position
