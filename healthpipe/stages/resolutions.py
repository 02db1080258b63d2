"""The lines that a run rejected, read from its rejects, with what has answered them since."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from healthpipe.choices import QuarantineGroup
from healthpipe.contract import Reason
from healthpipe.engines import open_embedded
from healthpipe.engines.base import Engine
from healthpipe.engines.query import Constants, Query


@dataclass(frozen=True)
class RejectedLine:
    """A rejected line: its bytes, or the file `kept_in` of the run, or neither of a whole file.

    `digest` is the SHA-256, in hex, of source, NUL and bytes: the name under which an answer is
    recorded. `occurrence` counts, from 1, the equal lines of one file.
    """

    source: str
    reasons: tuple[str, ...]
    line: bytes | None
    kept_in: str | None
    digest: str
    occurrence: int
    is_resolved: bool

    @property
    def is_mendable(self) -> bool:
        """Whether a mended line may answer it: not a whole file, and not answered yet."""
        return self.line is not None and not self.is_resolved


@dataclass(frozen=True)
class Selection:
    """The rejected lines that a user asks for: of a reason, of a file, of both."""

    reason: Reason | None = None
    source: str | None = None

    def takes(self, source: str, reasons: Sequence[str]) -> bool:
        """Whether a line is one of them."""
        of_reason = self.reason is None or self.reason in reasons
        return of_reason and self.source in (None, source)


@dataclass(frozen=True)
class Tally:
    """How many lines were rejected, how many of them are resolved, how many can be mended."""

    lines: int = 0
    resolved: int = 0
    mendable: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.lines + other.lines,
            self.resolved + other.resolved,
            self.mendable + other.mendable,
        )


def define_quarantine(engine: Engine, rejects: Path, answered: Sequence[str]) -> None:
    """Make the relation `quarantined` from a run's rejects and the digests of answered lines."""
    engine.read_table("rejects", [str(rejects)])
    digests = Constants(("digest",), tuple((digest,) for digest in answered))
    engine.materialize("answered", digests)
    engine.define("quarantined", Query("quarantined"))


def count_resolved(rejects: Path, answered: Sequence[str]) -> int:
    """How many of the lines rejected by a run are answered; free when nothing ever was."""
    if not answered:
        return 0
    with open_embedded(rejects.parent) as engine:
        define_quarantine(engine, rejects, answered)
        return int(engine.rows(Query("resolved"))[0][0])


def rejected_lines(engine: Engine, selection: Selection) -> Iterator[RejectedLine]:
    """The lines of `quarantined` in input order."""
    for source, reasons, *rest in engine.stream(Query("quarantined")):
        if selection.takes(source, reasons):
            yield RejectedLine(source, tuple(reasons), *rest)


def tally(engine: Engine, selection: Selection) -> Tally:
    """The counts of the lines of `quarantined`."""
    return sum((found for _, _, found in _counts(engine, selection)), Tally())


def tallies(engine: Engine, by: QuarantineGroup, selection: Selection) -> dict[str, Tally]:
    """The counts by file, or by reason: a line of several reasons counts in each. Most first."""
    summed: defaultdict[str, Tally] = defaultdict(Tally)
    for source, reasons, found in _counts(engine, selection):
        for name in reasons if by is QuarantineGroup.REASON else [source]:
            summed[name] += found
    return dict(sorted(summed.items(), key=lambda item: (-item[1].lines, item[0])))


def _counts(engine: Engine, selection: Selection) -> Iterator[tuple[str, list[str], Tally]]:
    """The counts of each file and set of reasons."""
    for source, reasons, *counts in engine.rows(Query("quarantine_counts")):
        if selection.takes(source, reasons):
            yield source, reasons, Tally(*counts)
