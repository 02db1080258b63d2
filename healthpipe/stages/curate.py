"""No line is lost: what came in and what became of it, for each file and for all.

What is kept of a record on the way from its line to the outputs.

Raw lines become records: judged, kept apart where they must be, and all accounted for.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from healthpipe.choices import Format
from healthpipe.engines.base import Engine, LineFile, Query, Value
from healthpipe.errors import Imbalance
from healthpipe.stages.options import StageOptions
from healthpipe.stages.resolutions import count_resolved
from healthpipe.storage.private import make_private_file


@dataclass(frozen=True)
class FileBalance:
    """How many lines of a file there were and what became of them."""

    source: str
    lines: int
    accepted: int
    rejected: int
    current: int

    @property
    def superseded(self) -> int:
        """The accepted records that another one of their facility stands for."""
        return self.accepted - self.current

    def to_json(self) -> dict[str, Any]:
        """As it stands in documents."""
        return {**asdict(self), "superseded": self.superseded}


@dataclass(frozen=True)
class Balance:
    """The same of all files; `superseded` is counted by facilities, not as a difference.

    The resolved are those of the rejected that mended lines have answered.
    """

    lines: int
    accepted: int
    rejected: int
    current: int
    superseded: int
    resolved: int = 0

    def require_even(self) -> None:
        """Raise `Imbalance` unless every line is accounted for, once."""
        if (
            self.lines != self.accepted + self.rejected
            or self.accepted != self.current + self.superseded
            or self.resolved > self.rejected
        ):
            raise _imbalance(str(asdict(self)))

    def require_sum(self, files: Sequence[FileBalance], landed: Mapping[str, int]) -> None:
        """Raise `Imbalance` unless the files are even, too, and come to these sums.

        `landed` are the lines that ingest counted when it rewrote files.
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
    """The files of a run that have lines, by name."""
    return [FileBalance(*row) for row in engine.rows(Query("balance_by_file"))]


def _imbalance(what: str) -> Imbalance:
    return Imbalance(
        f"the counts of this run contradict each other ({what})",
        "nothing of it was kept as a result; please report this",
    )


class Projection(StrEnum):
    """What is kept of a record beside its scalar fields, for those views that show it.

    `ACCOUNTED` is what rejects and issues show: the lines that are rejected, and the
    accreditations of records that break a rule.
    """

    ACCOUNTED = "accounted"
    EXPIRING_LINES = "expiring_lines"
    ALL_LINES = "all_lines"
    EXPIRING_ACCREDITATIONS = "expiring_accreditations"
    ALL_ACCREDITATIONS = "all_accreditations"
    DETAILS = "details"


def projection_values(carried: Set[Projection]) -> dict[str, Value]:
    """What the placeholders stand for that say what is kept of records; details are columns."""
    return {each.value: each in carried for each in Projection if each is not Projection.DETAILS}


REJECTS = "rejects.parquet"
ISSUES = "issues.parquet"
BALANCE = "balance.json"
SCHEMA_VERSION = 1
# What only some stages show, and none of those that the workflow publishes.
DETAILS = ("address", "city", "zip", "services", "labs")
ACCOUNTED = frozenset({Projection.ACCOUNTED})
CURATED_LINES = Query("judged").without(DETAILS)


@dataclass(frozen=True)
class RunCounts:
    """What a run says of its lines: the balance, of each file too, and how often each rule was
    broken.
    """

    balance: Balance
    files: list[FileBalance]
    issues: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The balance as a run keeps it."""
        files = [file.to_json() for file in self.files]
        return {"schema_version": SCHEMA_VERSION, "all": asdict(self.balance), "files": files}


def judge_lines(engine: Engine, files: Sequence[LineFile]) -> None:
    """Make the relation `judged` from raw lines."""
    engine.read_lines(files)
    engine.define("judged", Query("judged"))


def keep_records(engine: Engine, options: StageOptions, carried: Set[Projection]) -> bool:
    """Make `records` and `current` from `judged`, reading the raw lines once if that will do.

    What rejects and issues show is carried, too. The order of two records of one facility may hang
    on the bytes of their lines, which are not carried along; where that is so, a second pass
    carries them all. Returns whether the rows of `current` lie in input order.
    """
    kept = carried | ACCOUNTED
    engine.materialize("records", _records(options, kept))
    has_repeated, is_contested = _rivalry(engine, options)
    if is_contested:
        engine.materialize("records", _records(options, kept | {Projection.ALL_LINES}))
    _define_current(engine, has_repeated=has_repeated, is_contested=is_contested)
    return not has_repeated


def open_records(
    engine: Engine, options: StageOptions, segments: Sequence[str], carried: Set[Projection]
) -> bool:
    """Make `records` and `current` from curated segments, which have no details.

    What is not carried is not read, the lines above all, unless their bytes have to decide which
    record of a facility wins. Returns whether the rows of `current` lie in input order.
    """
    engine.read_table("judged", segments)
    engine.define("records", _records(options, carried))
    has_repeated, is_contested = _rivalry(engine, options)
    if is_contested:
        engine.define("records", _records(options, carried | {Projection.ALL_LINES}))
    _define_current(engine, has_repeated=has_repeated, is_contested=is_contested)
    return not has_repeated and len(segments) == 1


def account(
    engine: Engine,
    options: StageOptions,
    folder: Path,
    *,
    landed: Mapping[str, int],
    answered: Sequence[str] = (),
) -> RunCounts:
    """Write rejects and issues to `folder`, and count. Raises `Imbalance`.

    `landed` are the lines of those files that ingest has rewritten, as it counted them;
    `answered` the digests of rejected lines that mended lines of this run answer.
    """
    engine.define("rules", options.rules.relation())
    engine.materialize("issues", Query("issues"))
    rejects = make_private_file(folder / REJECTS)
    rejected = engine.write(Query("rejects"), rejects, Format.PARQUET)
    engine.write(Query("issue_rows"), folder / ISSUES, Format.PARQUET)
    lines, accepted, _, current, superseded = engine.rows(Query("balance"))[0]
    # The rejected are counted as they were written, not as the query calls them.
    resolved = count_resolved(rejects, answered)
    balance = Balance(lines, accepted, rejected, current, superseded, resolved)
    balance.require_even()
    files = balance_by_file(engine)
    balance.require_sum(files, landed)
    return RunCounts(balance, files, dict(engine.rows(Query("issue_counts"))))


def _records(options: StageOptions, carried: Set[Projection]) -> Query:
    query = Query("records", options.values() | projection_values(carried))
    return query if Projection.DETAILS in carried else query.without(DETAILS)


def _rivalry(engine: Engine, options: StageOptions) -> tuple[bool, bool]:
    """Whether a facility has more than one record, and whether lines have to decide."""
    engine.define("eligible", Query("eligible", options.values()))
    engine.materialize("best", Query("best"))
    ((has_repeated, is_contested),) = engine.rows(Query("rivalry"))
    return has_repeated, is_contested


def _define_current(engine: Engine, *, has_repeated: bool, is_contested: bool) -> None:
    if is_contested:
        engine.define("current", Query("current_by_line"))
    else:
        engine.define("current", Query("current" if has_repeated else "current_unrepeated"))
