-- One row per facility, where each has one record only: every eligible record.
select eligible.*
from eligible
