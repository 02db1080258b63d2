"""The outputs as a table of plain facts: what a view is, and which views a stage writes.

Stage 2: what expires in the window, as records or as single accreditations.

When the work of renewal falls due: accreditations that lapse, by month and accrediting body.

Stage 1: the key figures of each facility.

The records as five flat tables, keyed by facility id and place in the list.

Stage 3: the accredited facilities of each state.

The stages by their names, and all outputs by theirs.
"""

from collections.abc import Callable, Iterable, Mapping
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

    It `carries` what that query needs of records, and `reads` other queries as relations. Where
    it `has_records`, its column `record` holds JSON, and the JSON formats are made of that alone.
    Where it `is_document`, its JSON form is one object of the run's metadata and the rows.
    """

    name: str
    default_format: Format = Format.PARQUET
    carries: frozenset[Projection] = frozenset()
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


def projections_of(outputs: Iterable[tuple[View, Format]]) -> frozenset[Projection]:
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


LAPSING = "lapsing"
ITS_ACCREDITATIONS = frozenset({Projection.EXPIRING_ACCREDITATIONS})

RECORDS = View("expiring", Format.NDJSON, frozenset({Projection.EXPIRING_LINES}), has_records=True)
ANNOTATED = View(
    "expiring-annotated",
    Format.NDJSON,
    ITS_ACCREDITATIONS | {Projection.EXPIRING_LINES},
    reads=(LAPSING,),
    has_records=True,
)
ACCREDITATIONS = View("expiring-accreditations", Format.CSV, ITS_ACCREDITATIONS, (LAPSING,))


def _expiring_views(options: "StageOptions") -> tuple[View, ...]:
    if options.grain is Grain.ACCREDITATION:
        return (ACCREDITATIONS,)
    return (ANNOTATED if options.annotate else RECORDS,)


FILTER_EXPIRING_STAGE = Stage(
    name="filter-expiring",
    summary="Keep the records with an accreditation that expires soon, as they came.",
    example="healthpipe filter-expiring --days 90 -o - | jq .facility_name",
    next_command="healthpipe state-counts",
    takes=("months", "days", "include_expired", "grain", "annotate", "strict_states"),
    views=(RECORDS, ANNOTATED, ACCREDITATIONS),
    choose=_expiring_views,
    preview=Preview("The soonest to expire", query="expiring_soonest"),
    facts={"already expired": "already_expired"},
)


EXPIRY_CALENDAR_STAGE = Stage(
    name="expiry-calendar",
    summary="Count the accreditations that expire in each month, by accrediting body.",
    example="healthpipe expiry-calendar --months 24 -o calendar.csv",
    next_command="healthpipe filter-expiring --grain accreditation",
    takes=("months", "days", "include_expired"),
    views=(View("expiry-calendar", Format.CSV, ITS_ACCREDITATIONS, (LAPSING,)),),
    preview=Preview("Accreditations by month", limit=None),
)


EXTRACT = View("extract")
SOONEST = View("extract", carries=frozenset({Projection.ALL_ACCREDITATIONS}))


def _extract_views(options: "StageOptions") -> tuple[View, ...]:
    return (EXTRACT if options.top is None else SOONEST,)


EXTRACT_STAGE = Stage(
    name="extract",
    summary="Show the key figures of each facility.",
    example="healthpipe extract data/raw -o facilities.csv",
    next_command="healthpipe filter-expiring",
    takes=("first_accreditation", "only_accredited", "accredited", "top"),
    views=(EXTRACT,),
    choose=_extract_views,
    preview=Preview("The first facilities"),
)


NESTED = frozenset({Projection.DETAILS, Projection.ALL_ACCREDITATIONS})
TABLES = tuple(
    View(name, carries=NESTED)
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
    next_command="healthpipe describe facilities",
    takes=("strict_states",),
    views=TABLES,
    preview=Preview("The first facilities"),
    is_folder=True,
)


COUNTS = View("state-counts", Format.CSV, is_document=True)

STATE_COUNTS_STAGE = Stage(
    name="state-counts",
    summary="Count the accredited facilities of each state.",
    example="healthpipe state-counts --as-of 2026-01-01 --format json -o - | jq .rows",
    next_command="healthpipe orchestrate",
    takes=("accredited", "include_zero", "strict_states"),
    views=(COUNTS,),
    preview=Preview("Facilities by state", limit=None),
    twin=Format.JSON,
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
    """The stage that writes a view."""
    stages = (stage.name for stage in STAGES.values() if view in stage.views)
    return next(stages, "every run")
