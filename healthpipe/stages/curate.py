"""Raw lines become records: judged, kept apart where they must be, and all accounted for."""

from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path

from healthpipe.engines.base import Engine, LineFile
from healthpipe.engines.query import Query
from healthpipe.errors import Imbalance
from healthpipe.stages.carried import Carried, carried_values
from healthpipe.stages.options import StageOptions
from healthpipe.stages.quarantine import count_resolved
from healthpipe.storage.private import make_private
from healthpipe.words import Format

REJECTS = "rejects.parquet"
ISSUES = "issues.parquet"
# What only some stages show, and none of those that the workflow publishes.
DETAILS = ("address", "city", "zip", "services", "labs")
CURATED = frozenset(Carried) - {Carried.DETAILS}
CURATED_LINES = Query("judged").without(DETAILS)


@dataclass(frozen=True)
class Balance:
    """How many lines came in and what became of them.

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
            counts = ", ".join(f"{name} {count}" for name, count in asdict(self).items())
            raise Imbalance(
                f"the counts of this run contradict each other ({counts})",
                "nothing of it was kept as a result; please report this",
            )


@dataclass(frozen=True)
class Account:
    """What a run says of its lines: the balance, and how often each rule was broken."""

    balance: Balance
    issues: dict[str, int]


def judge_lines(engine: Engine, files: Sequence[LineFile]) -> None:
    """Make the relation `judged` from raw lines."""
    engine.read_lines(files)
    engine.define("judged", Query("judged"))


def keep_records(engine: Engine, options: StageOptions, carried: Set[Carried]) -> bool:
    """Make `records` and `current` from `judged`, reading the raw lines once if that will do.

    The order of two records of one facility may hang on the bytes of their lines, which are
    not carried along; where that is so, a second pass carries them all. Returns whether the
    rows of `current` lie in input order.
    """
    engine.materialize("records", _records(options, carried))
    has_repeated = _define_current(engine, options)
    if has_repeated and engine.rows(Query("contested")):
        engine.materialize("records", _records(options, carried | {Carried.ALL_LINES}))
    return not has_repeated


def open_records(engine: Engine, options: StageOptions, segments: Sequence[str]) -> bool:
    """Make `records` and `current` from curated segments.

    Returns whether the rows of `current` lie in input order.
    """
    engine.read_table("judged", segments)
    engine.define("records", _records(options, CURATED))
    return not _define_current(engine, options) and len(segments) == 1


def account(
    engine: Engine, options: StageOptions, folder: Path, answered: Sequence[str] = ()
) -> Account:
    """Write rejects and issues to `folder`, and count. Raises `Imbalance`.

    `answered` are the digests of rejected lines that mended lines of this run answer.
    """
    engine.define("rules", options.rules.relation())
    engine.define("issues", Query("issues"))
    rejects = make_private(folder / REJECTS)
    rejected = engine.write(Query("rejects"), rejects, Format.PARQUET)
    engine.write(Query("issues"), folder / ISSUES, Format.PARQUET)
    lines, accepted, _, current, superseded = engine.rows(Query("balance"))[0]
    # The rejected are counted as they were written, not as the query calls them.
    resolved = count_resolved(engine, rejects, answered)
    balance = Balance(lines, accepted, rejected, current, superseded, resolved)
    balance.require_even()
    return Account(balance, dict(engine.rows(Query("issue_counts"))))


def _records(options: StageOptions, carried: Set[Carried]) -> Query:
    query = Query("records", options.values() | carried_values(carried))
    return query if Carried.DETAILS in carried else query.without(DETAILS)


def _define_current(engine: Engine, options: StageOptions) -> bool:
    """Make `current`; returns whether a facility has more than one record."""
    engine.define("eligible", Query("eligible", options.values()))
    engine.materialize("repeated", Query("repeated"))
    has_repeated = bool(engine.rows(Query("has_repeated"))[0][0])
    engine.define("current", Query("current" if has_repeated else "current_unrepeated"))
    return has_repeated
