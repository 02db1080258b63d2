"""Curate: judge raw lines, keep what outputs need of their records, account for every line.

The relations are `source` (raw lines), `judged` (their fields and the rules that they break),
`records` (what the run's options make of them) and `current` (one record per facility). The path
through them is in `compute`.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

from healthpipe.choices import Format
from healthpipe.contract import Reason, Severity
from healthpipe.engines import open_nearby
from healthpipe.engines.base import Constants, Engine, LineFile, Query, SegmentRows, Value
from healthpipe.errors import Imbalance
from healthpipe.ingest.unpacking import unpack_line
from healthpipe.stages.options import StageOptions
from healthpipe.stages.resolutions import count_resolved
from healthpipe.storage.scratch import make_private_file


@dataclass(frozen=True)
class FileBalance:
    """The lines of a file, and how many were accepted, rejected and are current."""

    source: str
    lines: int
    accepted: int
    rejected: int
    current: int

    @property
    def superseded(self) -> int:
        """The accepted records that a later one of their facility replaces."""
        return self.accepted - self.current

    def to_json(self) -> dict[str, Any]:
        """The file's entry in balance.json."""
        return {**asdict(self), "superseded": self.superseded}


@dataclass(frozen=True)
class Balance:
    """The lines of all files; `superseded` is counted by facilities, not as a difference.

    `resolved` are those of the rejected that repaired lines have replaced since.
    """

    lines: int
    accepted: int
    rejected: int
    current: int
    superseded: int
    resolved: int = 0

    def with_unseen(self, records: int) -> "Balance":
        """The same with that many more lines rejected: what rejected files seem to hold."""
        return replace(self, lines=self.lines + records, rejected=self.rejected + records)

    def require_even(self) -> None:
        """Check that every line is accounted for, once. Raises `Imbalance`."""
        if (
            self.lines != self.accepted + self.rejected
            or self.accepted != self.current + self.superseded
            or self.resolved > self.rejected
        ):
            raise _imbalance(str(asdict(self)))

    def require_sum(self, files: Sequence[FileBalance], landed: Mapping[str, int]) -> None:
        """Check that the files are even, too, and add up to these sums. Raises `Imbalance`.

        `landed` are the lines that ingest counted when it rewrote files, by source.
        """
        for file in files:
            if file.lines != file.accepted + file.rejected or file.superseded < 0:
                raise _imbalance(str(file.to_json()))
        for name in ("lines", "accepted", "rejected", "current", "superseded"):
            total = sum(getattr(file, name) for file in files)
            if total != getattr(self, name):
                raise _imbalance(f"{name}: {getattr(self, name)} in all, {total} by file")
        counted = {file.source: file.lines for file in files}
        for source, lines in landed.items():
            if counted.get(source, 0) != lines:
                raise _imbalance(f"{source}: {lines} records in, {counted.get(source, 0)} judged")


def balance_by_file(engine: Engine) -> list[FileBalance]:
    """Count the lines of each file that has any; ordered by source."""
    return [FileBalance(*row) for row in engine.rows(Query("balance_by_file"))]


def _imbalance(what: str) -> Imbalance:
    return Imbalance(
        f"the counts of this run contradict each other ({what})",
        "nothing of it was kept as a result; please report this",
    )


class Projection(StrEnum):
    """What `records` and `current` keep of a record beside its scalar fields.

    Lines and lists are large, so `records.sql` keeps them only where a projection asks for it.
    This is why **`line`, `accreditations` and `accreditation_dates` may be NULL** in `records`,
    in `current` and in all that reads them, while their record has them: a query may use them
    only in rows that a projection of its view covers. The values are placeholders of that file.

    - `ACCOUNTED`: the lines that are rejected, and the accreditations of records that break a
      rule; what rejects and issues show.
    - `EXPIRING_LINES`, `ALL_LINES`: the lines of records that expire, of all.
    - `EXPIRING_ACCREDITATIONS`, `ALL_ACCREDITATIONS`: the accreditations of the same.
    - `DETAILS`: the columns `DETAILS` below. Without it there are no such columns.
    - `FIGURES`: the columns `FIGURED` below, likewise.
    """

    ACCOUNTED = "accounted"
    EXPIRING_LINES = "expiring_lines"
    ALL_LINES = "all_lines"
    EXPIRING_ACCREDITATIONS = "expiring_accreditations"
    ALL_ACCREDITATIONS = "all_accreditations"
    DETAILS = "details"
    FIGURES = "figures"


def projection_values(projections: Set[Projection]) -> dict[str, Value]:
    """The values of the placeholders of `records.sql` that are about projections."""
    names = (each for each in Projection if each not in COLUMNS_OF)
    return {each.value: each in projections for each in names}


REJECTS = "rejects.parquet"
ISSUES = "issues.parquet"
BALANCE = "balance.json"
SCHEMA_VERSION = 1
# What only some stages show, and none of those that the workflow publishes.
DETAILS = ("address", "city", "zip", "services", "labs")
# What depends on where a file was found, and is added when a segment is read.
FOUND = ("source", "snapshot_date")
# What only the figures of a run are counted from.
FIGURED = (
    "given",
    "number_of_items",
    "number_of_objects",
    "number_of_given_dates",
    "number_of_dates",
    "latest_expiry",
)
# The projections that add columns.
COLUMNS_OF = {Projection.DETAILS: DETAILS, Projection.FIGURES: FIGURED}
ACCOUNTED = frozenset({Projection.ACCOUNTED})
NONE_UNDECIDED = Constants(("source", "facility_id"), ())


@dataclass(frozen=True)
class RunCounts:
    """The counts of a run: the balance, also by file, and how often each rule was broken."""

    balance: Balance
    files: list[FileBalance]
    issues: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The document that a run keeps as balance.json."""
        files = [file.to_json() for file in self.files]
        return {"schema_version": SCHEMA_VERSION, "all": asdict(self.balance), "files": files}


@dataclass(frozen=True)
class Rivals:
    """Whether any facility has several records, and whether only their lines decide which wins."""

    exist: bool
    are_contested: bool


@dataclass(frozen=True)
class CuratedRecords:
    """Whether `current` is in input order, and whether each facility has one record."""

    in_input_order: bool
    are_unrivalled: bool


def judge_lines(engine: Engine, files: Sequence[LineFile], options: StageOptions) -> None:
    """Make the relation `judged` from raw lines."""
    engine.read_lines(files)
    engine.define("judged", Query("judged", options.null_words.values()))


def curated_lines(options: StageOptions) -> Query:
    """The rows of a segment, from the relation `source`."""
    return Query("judged", options.null_words.values()).without((*DETAILS, *FOUND))


def keep_records(engine: Engine, options: StageOptions, projections: Set[Projection]) -> bool:
    """Make `records` and `current` from `judged`, reading the raw lines once if that will do.

    Keeps what rejects and issues show as well. The order of two records of one facility may depend
    on the bytes of their lines, which are not kept; where that is so, a second pass keeps them
    all. Returns whether the rows of `current` are in input order.
    """
    kept = projections | ACCOUNTED
    engine.materialize("records", _records(options, kept))
    rivals = _find_rivals(engine, options)
    if rivals.are_contested:
        engine.materialize("records", _records(options, kept | {Projection.ALL_LINES}))
    _define_current(engine, options, rivals)
    return not rivals.exist


def open_records(
    engine: Engine,
    options: StageOptions,
    segments: Sequence[SegmentRows],
    projections: Set[Projection],
    *,
    are_unrivalled: bool = False,
) -> CuratedRecords:
    """Make `records` and `current` from curated segments, which have no details.

    What no projection asks for is not read, the lines above all, unless their bytes decide which
    record of a facility wins. With `are_unrivalled` it is known that each facility has one record,
    which then is not looked for.
    """
    ordered, are_in_order = in_order_of_names(segments)
    engine.read_segments("judged", ordered)
    engine.define("records", _records(options, projections))
    if are_unrivalled:
        engine.define("eligible", Query("eligible", options.values()))
        rivals = Rivals(exist=False, are_contested=False)
    else:
        rivals = _find_rivals(engine, options)
    if rivals.are_contested:
        engine.define("records", _records(options, projections | {Projection.ALL_LINES}))
    _define_current(engine, options, rivals)
    return CuratedRecords(are_in_order and not rivals.exist, not rivals.exist)


def in_order_of_names(segments: Sequence[SegmentRows]) -> tuple[list[SegmentRows], bool]:
    """Sort segments by the names of their files; returns also whether their rows then come in the
    order of the input: each is one file, and no two have names between those of the other.
    """
    names = {each.folder: [file.source for file in each.files if file] for each in segments}
    found = sorted(segments, key=lambda each: names[each.folder])
    in_order = [name for each in found for name in names[each.folder]]
    return found, in_order == sorted(in_order) and all(len(each.paths) == 1 for each in found)


def write_segment(
    engine: Engine, files: Sequence[LineFile], options: StageOptions, uri: str, local: Path
) -> list[str]:
    """Read raw lines and write them as Parquet, typed and judged.

    An engine elsewhere writes to the empty folder `uri`; returns its files, sorted. Without any,
    because the engine computes on this machine or there are no lines, the file is `local`.
    """
    engine.read_lines(files)
    judged = curated_lines(options)
    if parts := engine.unload(judged, uri, Format.PARQUET):
        return sorted(parts)
    engine.write_table(judged, local)
    return []


def account(
    engine: Engine,
    options: StageOptions,
    folder: Path,
    *,
    landed: Mapping[str, int],
    resolutions: Sequence[str] = (),
) -> RunCounts:
    """Write rejects and issues to `folder`, and count every line. Raises `Imbalance`.

    `landed` are the lines that ingest counted when it rewrote files, by source; `resolutions` the
    digests of rejected lines that repaired lines of this run replace.
    """
    engine.define("rules", options.rules.relation())
    engine.materialize("issues", Query("issues", options.values()))
    rejects = make_private_file(folder / REJECTS)
    rejected = engine.write_table(Query("rejects"), rejects)
    engine.write(Query("issue_rows"), folder / ISSUES, Format.PARQUET)
    lines, accepted, _, current, superseded = engine.rows(Query("balance"))[0]
    # The rejected are counted as they were written, not as the query calls them.
    resolved = count_resolved(engine, rejects, resolutions)
    balance = Balance(lines, accepted, rejected, current, superseded, resolved)
    balance.require_even()
    files = balance_by_file(engine)
    balance.require_sum(files, landed)
    return RunCounts(balance, files, dict(engine.rows(Query("issue_counts"))))


class PackedLines(Exception):
    """Lines of the files `sources` hold several records or none: the files have to be landed."""

    def __init__(self, sources: Set[str]) -> None:
        super().__init__(f"{len(sources)} files have lines that are containers")
        self.sources = frozenset(sources)


def require_unpacked(engine: Engine, folder: Path, sources: Set[str]) -> None:
    """Look among the rejects in `folder` for lines of these files that are containers.

    Raises `PackedLines`. Files that were landed are unpacked already, whatever their lines are.
    """
    packed: set[str] = set()
    with open_nearby(engine, folder) as local:
        local.read_table("rejects", [str(folder / REJECTS)])
        for source, line in local.stream(Query("packed_lines")):
            is_new = source in sources and source not in packed
            if is_new and unpack_line(line, 1, folder / "line.spill") is not None:
                packed.add(source)
    if packed:
        raise PackedLines(packed)


def _records(options: StageOptions, projections: Set[Projection]) -> Query:
    query = Query("records", options.values() | projection_values(projections))
    absent = [names for each, names in COLUMNS_OF.items() if each not in projections]
    return query.without(chain.from_iterable(absent))


def _find_rivals(engine: Engine, options: StageOptions) -> Rivals:
    engine.define("eligible", Query("eligible", options.values()))
    engine.materialize("best", Query("best"))
    ((exist, are_contested),) = engine.rows(Query("rivalry"))
    return Rivals(exist, are_contested)


def _define_current(engine: Engine, options: StageOptions, rivals: Rivals) -> None:
    """Make `current`, and `undecided`: the facilities of which the bytes of lines chose it."""
    if rivals.are_contested:
        engine.define("current", Query("current_by_line"))
    else:
        engine.define("current", Query("current" if rivals.exist else "current_unrepeated"))
    is_told = options.rules.severities[Reason.ORDER_UNDECIDED] is not Severity.OFF
    is_undecided = rivals.are_contested and is_told
    engine.define("undecided", Query("undecided") if is_undecided else NONE_UNDECIDED)
