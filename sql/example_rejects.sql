-- One row per input file with rejected lines: one of them.
select source, min(line) as line
from kept_rejects
where line is not null
group by source
order by source
