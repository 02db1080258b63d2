"""Stage 2: the records with an accreditation that expires in the window."""

from healthpipe.engines.base import Engine
from healthpipe.engines.sql import Query
from healthpipe.stages.options import Lines, StageOptions
from healthpipe.stages.outputs import Preview, Stage
from healthpipe.words import Format


def _table(_: StageOptions) -> Query:
    return Query("expiring_table")


def _preview(engine: Engine, options: StageOptions) -> Preview:
    columns = ("facility id", "name", "state", "next expiry", "days")
    soonest = engine.rows(Query("expiring_soonest"))
    rows = [(*row, (row[-1] - options.as_of).days) for row in soonest]
    return Preview("The soonest to expire", "healthpipe state-counts", columns, rows)


def _facts(engine: Engine) -> dict[str, int]:
    return {"already expired": engine.rows(Query("already_expired"))[0][0]}


STAGE = Stage(
    "filter-expiring",
    "expiring",
    Format.NDJSON,
    _table,
    _preview,
    _facts,
    lines=Query("expiring_lines"),
    carried=Lines.EXPIRING,
)
