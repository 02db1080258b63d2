"""What is looked at beside a result: a few of its rows, and counts for its summary."""

from dataclasses import dataclass, replace

from healthpipe.engines.base import Engine, Row
from healthpipe.engines.query import Query
from healthpipe.engines.sql_files import column_names
from healthpipe.stages.options import StageOptions
from healthpipe.stages.view import Stage, View


@dataclass(frozen=True)
class PreviewTable:
    """A few rows of a result for a person to look at, and what to do next."""

    title: str
    next_command: str
    columns: tuple[str, ...]
    rows: list[Row]


def preview_of(engine: Engine, stage: Stage, view: View, options: StageOptions) -> PreviewTable:
    """The first rows of the stage's preview query, or else of the view."""
    named = stage.preview.query
    query = Query(named, options.values()) if named else view.query(options)
    limits = (limit for limit in (stage.preview.limit, query.limit) if limit is not None)
    rows = engine.rows(replace(query, limit=min(limits, default=None)))
    return PreviewTable(stage.preview.title, stage.next_command, column_names(query.name), rows)


def facts_of(engine: Engine, stage: Stage) -> dict[str, int]:
    """Counts beside the result, each by what it counts."""
    return {what: engine.rows(Query(query))[0][0] for what, query in stage.facts.items()}
