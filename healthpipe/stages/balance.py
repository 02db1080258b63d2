"""No line is lost: what came in and what became of it, for each file and for all."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from healthpipe.engines.base import Engine
from healthpipe.engines.query import Query
from healthpipe.errors import Imbalance


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
