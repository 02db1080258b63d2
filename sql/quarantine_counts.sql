-- One row per file and set of reasons: its rejected lines, those resolved, those to be mended.
select
  source,
  reasons,
  count(*) as lines,
  count_if(is_resolved) as resolved,
  count_if(line is not null and not is_resolved) as mendable
from quarantined
group by source, reasons
order by source, reasons
