"""The catalog: every view, every stage, and the files that each stage writes.

To add a view, write `sql/<name>.sql` and put a `View` into a stage; to add a stage, put a `Stage`
into `STAGES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from healthpipe.choices import Format, Grain
from healthpipe.engines.base import Query
from healthpipe.stages.curate import Projection

if TYPE_CHECKING:
    from healthpipe.stages.options import StageOptions

RECORD = "record"
JSON_FORMATS = (Format.NDJSON, Format.JSON)


@dataclass(frozen=True)
class View:
    """A table: the query `sql/<name>.sql` over `current`, which also tells its columns.

    `projections` are what that query needs of records beyond scalar fields, `relations` the other
    queries that it reads. Where it `has_records`, its column `record` holds JSON, and the JSON
    formats consist of that column alone. Where it `is_document`, its JSON form is one object of
    the run's metadata and the rows.
    """

    name: str
    default_format: Format = Format.PARQUET
    projections: frozenset[Projection] = frozenset()
    relations: tuple[str, ...] = ()
    has_records: bool = False
    is_document: bool = False

    @property
    def sql_name(self) -> str:
        """The name of its query."""
        return self.name.replace("-", "_")

    def query(self, options: "StageOptions") -> Query:
        """Its query with the values of the options."""
        return Query(self.sql_name, options.values(), limit=options.top)

    def file_name(self, fmt: Format) -> str:
        """The name of its file in a format."""
        return f"{self.name}.{fmt.value}"


# Views to write and the format of each, the main one first.
Outputs = tuple[tuple[View, Format], ...]


def projections_of(outputs: Outputs) -> frozenset[Projection]:
    """The projections of all outputs together."""
    return frozenset().union(*(view.projections for view, _ in outputs))


@dataclass(frozen=True)
class Preview:
    """What a terminal shows of a result: the first `limit` rows of a query, by default the view's.

    `limit` None means all rows.
    """

    title: str
    limit: int | None = 10
    query: str | None = None


@dataclass(frozen=True)
class Stage:
    """A command that writes `views`, those that `choose` picks; `next_words` is one to try next.

    Where there is one file, `secondary_format` is another format that it is also written in.
    `facts` are queries of one number each, for the summary, by what the number counts.
    """

    name: str
    summary: str
    example: str
    next_words: tuple[str, ...]
    views: tuple[View, ...]
    preview: Preview
    choose: Callable[["StageOptions"], tuple[View, ...]] | None = None
    is_folder: bool = False
    secondary_format: Format | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    def outputs(self, options: "StageOptions", fmt: Format | None) -> Outputs:
        """The files to write. Without `fmt` each has its default format, and the secondary one."""
        more = (self.secondary_format,) if self.secondary_format and fmt is None else ()
        return tuple(
            (view, each)
            for view in (self.choose(options) if self.choose else self.views)
            for each in (fmt or view.default_format, *more)
        )


# Stage 1, extract: the key figures of each facility.

EXTRACT = View("extract")
SOONEST = View("extract", projections=frozenset({Projection.ALL_ACCREDITATIONS}))


def _extract_views(options: "StageOptions") -> tuple[View, ...]:
    return (EXTRACT if options.top is None else SOONEST,)


EXTRACT_STAGE = Stage(
    name="extract",
    summary="Show the key figures of each facility.",
    example="healthpipe extract data/raw -o facilities.csv",
    next_words=("filter-expiring",),
    views=(EXTRACT,),
    choose=_extract_views,
    preview=Preview("The first facilities"),
)


# Stage 2, filter-expiring: what expires in the window, as records or as single accreditations.

LAPSING = "lapsing"
EXPIRING_ONLY = frozenset({Projection.EXPIRING_ACCREDITATIONS})

RECORDS = View("expiring", Format.NDJSON, frozenset({Projection.EXPIRING_LINES}), has_records=True)
ANNOTATED = View(
    "expiring-annotated",
    Format.NDJSON,
    EXPIRING_ONLY | {Projection.EXPIRING_LINES},
    relations=(LAPSING,),
    has_records=True,
)
ACCREDITATIONS = View("expiring-accreditations", Format.CSV, EXPIRING_ONLY, (LAPSING,))


def _expiring_views(options: "StageOptions") -> tuple[View, ...]:
    if options.grain is Grain.ACCREDITATION:
        return (ACCREDITATIONS,)
    return (ANNOTATED if options.annotate else RECORDS,)


FILTER_EXPIRING_STAGE = Stage(
    name="filter-expiring",
    summary="Keep the records with an accreditation that expires soon, as they came.",
    example="healthpipe filter-expiring --days 90 -o - | jq .facility_name",
    next_words=("state-counts",),
    views=(RECORDS, ANNOTATED, ACCREDITATIONS),
    choose=_expiring_views,
    preview=Preview("The soonest to expire", query="expiring_soonest"),
    facts={"already expired": "already_expired"},
)


# Stage 3, state-counts: the accredited facilities of each state.

COUNTS = View("state-counts", Format.CSV, is_document=True)

STATE_COUNTS_STAGE = Stage(
    name="state-counts",
    summary="Count the accredited facilities of each state.",
    example="healthpipe state-counts --as-of 2026-01-01 --format json -o - | jq .rows",
    next_words=("orchestrate",),
    views=(COUNTS,),
    preview=Preview("Facilities by state", limit=None),
    secondary_format=Format.JSON,
)


# The records as five flat tables, keyed by facility id and position in the list.

NESTED = frozenset({Projection.DETAILS, Projection.ALL_ACCREDITATIONS})
TABLES = tuple(
    View(name, projections=NESTED)
    for name in (
        "facilities",
        "facility_services",
        "facility_labs",
        "lab_certifications",
        "facility_accreditations",
    )
)

NORMALIZE_STAGE = Stage(
    name="normalize",
    summary="Write the records as five flat tables to join, in one folder.",
    example="healthpipe normalize --format csv -o tables",
    next_words=("describe", "facilities"),
    views=TABLES,
    preview=Preview("The first facilities"),
    is_folder=True,
)


# When the work of renewal is due: accreditations that lapse, by month and accrediting body.

EXPIRY_CALENDAR_STAGE = Stage(
    name="expiry-calendar",
    summary="Count the accreditations that expire in each month, by accrediting body.",
    example="healthpipe expiry-calendar --months 24 -o calendar.csv",
    next_words=("filter-expiring", "--grain", "accreditation"),
    views=(View("expiry-calendar", Format.CSV, EXPIRING_ONLY, (LAPSING,)),),
    preview=Preview("Accreditations by month", limit=None),
)


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        EXTRACT_STAGE,
        FILTER_EXPIRING_STAGE,
        STATE_COUNTS_STAGE,
        NORMALIZE_STAGE,
        EXPIRY_CALENDAR_STAGE,
    )
}

# What every run writes beside its result.
RUN_VIEWS = (View("rejects"), View("issues"))
VIEWS: dict[str, View] = {
    view.name: view
    for views in (*(stage.views for stage in STAGES.values()), RUN_VIEWS)
    for view in views
}


def written_by(view: View) -> str:
    """The name of the stage that writes a view, or `every run`."""
    stages = (stage.name for stage in STAGES.values() if view in stage.views)
    return next(stages, "every run")
