-- One row per month and accrediting body with accreditations that expire in the window.
select
  cast(date_trunc('month', valid_until) as date) as month, -- DATE: the first day of the month
  accreditation_body, -- VARCHAR: who grants the accreditations
  count(*) as accreditations, -- BIGINT: how many of its accreditations lapse in the month
  count(distinct facility_id) as facilities -- BIGINT: how many facilities hold them
from lapsing
group by date_trunc('month', valid_until), accreditation_body
order by month, accreditation_body nulls last
