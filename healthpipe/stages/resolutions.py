"""Rejected lines, read from a run's rejects, and which of them repaired lines have resolved.

A replayed file of repaired lines has the SHA-256 of its content in its name. Below `state/` a
document of that name lists the rejected lines that it resolves, by digests only. A resolution
counts where its replayed file is read: a run that does not read the repaired record still lacks it.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from healthpipe.choices import QuarantineGroup
from healthpipe.contract import Reason
from healthpipe.engines import open_nearby
from healthpipe.engines.base import Constants, Engine, Query
from healthpipe.ingest.manifest import REPLAYED
from healthpipe.storage.layout import Root

SCHEMA_VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Resolution:
    """A rejected line that a repaired one resolves, without its text."""

    digest: str
    source: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Resolutions:
    """The lines rejected by `run_id` that a replayed file resolves; `replayed` is its URI."""

    run_id: str
    replayed: str
    replayed_at: str
    lines: Sequence[Resolution]

    def to_json(self) -> dict[str, Any]:
        """The document below `state/`."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def replayed_name(content: str) -> str:
    """The name of the replayed file whose content has this SHA-256, in hex."""
    return f"replayed-{content}.ndjson"


def replayed_digest(uri: str) -> str | None:
    """The SHA-256 in the name of a replayed file; None of any other file."""
    match = REPLAYED.fullmatch(PurePath(uri).name)
    return match[1] if match else None


def resolutions_in(root: Root, files: Iterable[str]) -> list[str]:
    """The digests of the lines that the replayed ones among `files` resolve, with repetitions."""
    replayed = sorted({digest for uri in files if (digest := replayed_digest(uri))})
    found = (root.storage.read(root.resolutions(digest)) for digest in replayed)
    lines = [line for document in found if document for line in json.loads(document[0])["lines"]]
    return [line["digest"] for line in lines if _DIGEST.fullmatch(line["digest"])]


def record_resolutions(root: Root, content: str, resolutions: Resolutions) -> None:
    """Keep which lines the replayed file with this SHA-256 resolves."""
    document = json.dumps(resolutions.to_json(), indent=1) + "\n"
    root.storage.write(root.resolutions(content), document.encode())


@dataclass(frozen=True)
class RejectedLine:
    """A rejected line: its bytes, or the file `kept_in` of the run, or neither of a whole file.

    `digest` is the SHA-256, in hex, of source, NUL and bytes: the name under which a resolution is
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
    def is_repairable(self) -> bool:
        """Whether a repaired line may resolve it: not a whole file, and not resolved yet."""
        return self.line is not None and not self.is_resolved


@dataclass(frozen=True)
class Selection:
    """A filter of rejected lines: by reason, by file, by both."""

    reason: Reason | None = None
    source: str | None = None

    def matches(self, source: str, reasons: Sequence[str]) -> bool:
        """Whether a line of that source and with those reasons passes the filter."""
        of_reason = self.reason is None or self.reason in reasons
        return of_reason and self.source in (None, source)


@dataclass(frozen=True)
class Tally:
    """How many lines were rejected, how many of them are resolved, how many can be repaired."""

    lines: int = 0
    resolved: int = 0
    repairable: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.lines + other.lines,
            self.resolved + other.resolved,
            self.repairable + other.repairable,
        )


def define_quarantine(engine: Engine, rejects: Path, resolutions: Sequence[str]) -> None:
    """Make the relation `quarantined` from a run's rejects and the digests of resolved lines."""
    engine.read_table("rejects", [str(rejects)])
    digests = Constants(("digest",), tuple((digest,) for digest in resolutions))
    engine.materialize("answered", digests)
    engine.define("quarantined", Query("quarantined"))


def count_resolved(engine: Engine, rejects: Path, resolutions: Sequence[str]) -> int:
    """How many lines of a run's rejects are resolved. Without resolutions no file is read."""
    if not resolutions:
        return 0
    with open_nearby(engine, rejects.parent) as local:
        define_quarantine(local, rejects, resolutions)
        return int(local.rows(Query("resolved"))[0][0])


def rejected_lines(engine: Engine, selection: Selection) -> Iterator[RejectedLine]:
    """The lines of `quarantined` in input order."""
    for source, reasons, *rest in engine.stream(Query("quarantined")):
        if selection.matches(source, reasons):
            yield RejectedLine(source, tuple(reasons), *rest)


def tally(engine: Engine, selection: Selection) -> Tally:
    """Count the lines of `quarantined`."""
    return sum((found for _, _, found in _counts(engine, selection)), Tally())


def tallies(engine: Engine, by: QuarantineGroup, selection: Selection) -> dict[str, Tally]:
    """Count the lines by file, or by reason: one of several reasons counts in each. Most first."""
    sums: defaultdict[str, Tally] = defaultdict(Tally)
    for source, reasons, found in _counts(engine, selection):
        for name in reasons if by is QuarantineGroup.REASON else [source]:
            sums[name] += found
    return dict(sorted(sums.items(), key=lambda item: (-item[1].lines, item[0])))


def _counts(engine: Engine, selection: Selection) -> Iterator[tuple[str, list[str], Tally]]:
    """Source, reasons and counts of each group of lines that have both in common."""
    for source, reasons, *counts in engine.rows(Query("quarantine_counts")):
        if selection.matches(source, reasons):
            yield source, reasons, Tally(*counts)
