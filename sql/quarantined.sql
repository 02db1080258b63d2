-- One row per rejected line of a run, in input order: how often the same bytes came before in the
-- same file, and whether a mended line has answered it.
with digested as (
  select
    rejects.*,
    -- A whole file, and what is kept in a file of its own, has no bytes here and no digest.
    coalesce(lower(to_hex(sha256(to_utf8(source) || from_hex('00') || line))), '') as digest
  from rejects
),
counted as (
  select
    digested.*,
    row_number() over (partition by digest order by position) as occurrence
  from digested
),
answers as (
  select digest, count(*) as lines
  from answered
  group by digest
)
select
  counted.source,
  counted.reasons,
  counted.line,
  counted.kept_in,
  counted.digest,
  counted.occurrence,
  -- Of equal lines as many are resolved as were answered.
  coalesce(counted.occurrence <= answers.lines, false) as is_resolved
from counted
left join answers on answers.digest = counted.digest
order by counted.position
