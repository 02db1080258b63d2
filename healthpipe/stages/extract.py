"""Stage 1: the key figures of each facility."""

from healthpipe.engines.base import Engine
from healthpipe.engines.sql import Query
from healthpipe.stages.options import StageOptions
from healthpipe.stages.outputs import Preview, Stage
from healthpipe.words import Format


def _table(options: StageOptions) -> Query:
    return Query("extract", {"only_accredited": options.only_accredited})


def _preview(engine: Engine, options: StageOptions) -> Preview:
    engine.define("extracted", _table(options))
    columns = ("facility id", "name", "employees", "services", "first expiry")
    rows = engine.rows(Query("extract_preview"))
    return Preview("The first facilities", "healthpipe filter-expiring", columns, rows)


STAGE = Stage("extract", "extract", Format.PARQUET, _table, _preview)
