"""The outputs as a table of plain facts: what a view is, and which views a stage writes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from healthpipe.choices import Format
from healthpipe.engines.query import Query
from healthpipe.stages.carried import Carried

if TYPE_CHECKING:
    from healthpipe.stages.options import StageOptions

RECORD = "record"
JSON_FORMATS = (Format.NDJSON, Format.JSON)


@dataclass(frozen=True)
class View:
    """A table: the query `sql/<name>.sql` over `current`, which also tells its columns.

    It `carries` what that query needs of records, and `reads` other queries as relations. Where
    it `has_records`, its column `record` holds JSON, and the JSON formats are made of that alone.
    Where it `is_document`, its JSON form is one object of the run's metadata and the rows.
    """

    name: str
    default_format: Format = Format.PARQUET
    carries: frozenset[Carried] = frozenset()
    reads: tuple[str, ...] = ()
    has_records: bool = False
    is_document: bool = False

    @property
    def sql_name(self) -> str:
        """The name of its query."""
        return self.name.replace("-", "_")

    def query(self, options: "StageOptions") -> Query:
        """Its query with the values that the options come to."""
        return Query(self.sql_name, options.values(), limit=options.top)

    def file_name(self, fmt: Format) -> str:
        """The name of its file."""
        return f"{self.name}.{fmt.value}"


def carried_by(outputs: Iterable[tuple[View, Format]]) -> frozenset[Carried]:
    """What outputs need of records, all of them together."""
    return frozenset().union(*(view.carries for view, _ in outputs))


@dataclass(frozen=True)
class Preview:
    """What a person sees of a result: the first `limit` rows of a query, by default the view's."""

    title: str
    limit: int | None = 10
    query: str | None = None


@dataclass(frozen=True)
class Stage:
    """A command that writes `views`, those that `choose` picks; `takes` names its options.

    Where there is one file, `twin` is a second format that it is written in. `facts` are queries
    of one number each, for the summary.
    """

    name: str
    summary: str
    example: str
    next_command: str
    takes: tuple[str, ...]
    views: tuple[View, ...]
    preview: Preview
    choose: Callable[["StageOptions"], tuple[View, ...]] | None = None
    is_folder: bool = False
    twin: Format | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    def outputs(
        self, options: "StageOptions", fmt: Format | None
    ) -> tuple[tuple[View, Format], ...]:
        """The files to write, the main one first. Without `fmt` each has its own, and its twin."""
        twins = (self.twin,) if self.twin and fmt is None else ()
        return tuple(
            (view, each)
            for view in (self.choose(options) if self.choose else self.views)
            for each in (fmt or view.default_format, *twins)
        )
