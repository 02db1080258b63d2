"""Which rejected lines have been answered by mended ones.

A replayed file has the SHA-256 of its content in its name. Below `state/` a document of that name
says which lines it answers, by digests only. An answer counts where its replayed file is: a run
that does not read the mended record still lacks it.

The lines that a run rejected, read from its rejects, with what has answered them since.
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
from healthpipe.engines import open_embedded
from healthpipe.engines.base import Constants, Engine, Query
from healthpipe.storage.layout import Root

SCHEMA_VERSION = 1
_REPLAYED = re.compile(r"replayed-([0-9a-f]{64})\.ndjson(?:\.gz)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Resolution:
    """A rejected line that was answered, without its text."""

    digest: str
    source: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Resolutions:
    """What a replayed file answers: the lines that `run_id` rejected; `replayed` is its URI."""

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


def content_of(uri: str) -> str | None:
    """The SHA-256 in the name of a replayed file; None of any other."""
    match = _REPLAYED.fullmatch(PurePath(uri).name)
    return match[1] if match else None


def resolutions_in(root: Root, files: Iterable[str]) -> list[str]:
    """The digests of the lines that the replayed ones among `files` answer, each as often."""
    contents = sorted({content for uri in files if (content := content_of(uri))})
    found = (root.storage.read(root.resolutions(content)) for content in contents)
    lines = [line for document in found if document for line in json.loads(document[0])["lines"]]
    return [line["digest"] for line in lines if _DIGEST.fullmatch(line["digest"])]


def record_resolutions(root: Root, content: str, answers: Resolutions) -> None:
    """Keep what the replayed file of this SHA-256 answers."""
    document = json.dumps(answers.to_json(), indent=1) + "\n"
    root.storage.write(root.resolutions(content), document.encode())


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
