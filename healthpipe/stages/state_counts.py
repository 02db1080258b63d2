"""Stage 3: the accredited facilities of each state."""

from healthpipe.engines.base import Engine
from healthpipe.engines.sql import Query
from healthpipe.stages.options import StageOptions
from healthpipe.stages.outputs import Preview, Stage
from healthpipe.words import Format


def _table(_: StageOptions) -> Query:
    return Query("state_counts")


def _preview(engine: Engine, options: StageOptions) -> Preview:
    columns = ("state", "accredited", "facilities", "employees", "accreditations")
    return Preview(
        "Facilities by state", "healthpipe orchestrate", columns, engine.rows(_table(options))
    )


STAGE = Stage("state-counts", "state-counts", Format.CSV, _table, _preview)
