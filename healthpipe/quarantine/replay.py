"""Which rejected line each mended one answers.

Mended lines come back as a new raw file, and the rejected lines that they answer are noted.
"""

import datetime
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from healthpipe.contract import TEXT_SPACE
from healthpipe.engines.base import LinesRefused, Query
from healthpipe.errors import ReplayRefused, UsageError
from healthpipe.ingest.content import DAMAGED_GZIP
from healthpipe.ingest.formats import Shape
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.landing import LandingFolder
from healthpipe.ingest.manifest import Manifest
from healthpipe.ingest.readers import LocalReader
from healthpipe.ingest.sources import find_files
from healthpipe.quarantine.line_numbers import lines_of
from healthpipe.quarantine.rejects import Quarantine
from healthpipe.runs.record import utc_now
from healthpipe.stages.curate import judge_lines, keep_records
from healthpipe.stages.options import StageOptions
from healthpipe.stages.resolutions import (
    RejectedLine,
    Resolution,
    Resolutions,
    Selection,
    content_of,
    record_resolutions,
    rejected_lines,
    replayed_name,
    tally,
)
from healthpipe.storage.layout import RECORD

# Every text from every quote on, for in a broken line nobody knows which quote begins one.
_TEXTS = re.compile(rb'(?=("(?:[^"\\]|\\.){1,500}"))')
_NUMBERS = re.compile(rb"[:,\[][ \t]*([0-9]{1,18})(?=[ \t]*(?:[,}\]]|$))")
_NARROW = "narrow with --reason and --source, or mend what `healthpipe quarantine export` wrote"


@dataclass(frozen=True)
class RepairedLine:
    """A line of a file of mended lines, by its number there, as it was judged."""

    number: int
    content: bytes
    reasons: tuple[str, ...]
    is_rejected: bool
    facility_id: str | None


def resolve_by_position(
    lines: Sequence[RepairedLine], unanswered: Iterable[RejectedLine]
) -> list[Resolution]:
    """What the accepted ones of as many lines as there are unanswered ones answer: by place."""
    pairs = zip(lines, unanswered, strict=True)
    return [_answer(rejected) for line, rejected in pairs if not line.is_rejected]


def resolve_by_id(
    lines: Sequence[RepairedLine], unanswered: Iterable[RejectedLine]
) -> list[Resolution]:
    """What the accepted lines answer: each the one line that names its facility.

    Raises `ReplayRefused` where none does or several do, or where two lines answer one.
    """
    mended = [line for line in lines if not line.is_rejected]
    ids = {line.facility_id or "" for line in mended}
    naming: defaultdict[str, list[Resolution]] = defaultdict(list)
    for rejected in unanswered:
        for facility in ids & _names_in(rejected.line or b""):
            naming[facility].append(_answer(rejected))
    answerers: dict[str, int] = {}
    for line in mended:
        facility = line.facility_id or ""
        if len(naming[facility]) != 1:
            raise ReplayRefused(
                f"line {line.number} names the facility of {len(naming[facility])} unanswered"
                " rejected lines where it should answer one; nothing was added",
                _NARROW,
            )
        if facility in answerers:
            raise ReplayRefused(
                f"lines {answerers[facility]} and {line.number} name the same facility and answer"
                " the same rejected line; nothing was added",
                _NARROW,
            )
        answerers[facility] = line.number
    return [naming[line.facility_id or ""][0] for line in mended]


def _answer(rejected: RejectedLine) -> Resolution:
    return Resolution(rejected.digest, rejected.source, rejected.reasons)


def _names_in(line: bytes) -> set[str]:
    """All texts of a line, trimmed and not blank, and its whole numbers: what may be an id."""
    names = {found[1].decode() for found in _NUMBERS.finditer(line)}
    for found in _TEXTS.finditer(line):
        try:
            names.add(json.loads(found[1]).strip(TEXT_SPACE))
        except ValueError:
            continue
    return names - {""}


@dataclass(frozen=True)
class ReplayResult:
    """What a replay came to: the raw file, if there is one, and how many lines it answers."""

    run_id: str
    path: str | None
    sha256: str
    bytes: int
    mended: int
    unmended: int
    answered: int
    is_new: bool


def replay(quarantine: Quarantine, file: str, selection: Selection) -> ReplayResult:
    """Add the mended lines of a file to the raw ones. Raises `UsageError`, having added nothing.

    Lines that the file has as they were rejected are left unanswered.
    """
    lines = _judged(quarantine, file)
    _require_repaired(quarantine, lines)
    mended = [line.content + b"\n" for line in lines if not line.is_rejected]
    content = b"".join(mended)
    digest = hashlib.sha256(content).hexdigest()
    root = quarantine.root
    path = _present(quarantine, digest)
    is_new = path is None and bool(mended)
    answers: list[Resolution] = []
    if mended and (is_new or root.storage.stat(root.resolutions(digest)) is None):
        answers = _answers(quarantine, lines, selection)
        if path is None:
            path = f"{root.raw}/{_today()}/{replayed_name(digest)}"
            # First the record, then the answers: killed in between, the rejected lines still
            # count as unanswered, and the same replay notes the answers. The other way round
            # they would pass for resolved while their facilities are missing.
            root.storage.write(path, content)
        noted = Resolutions(quarantine.run_id, path, utc_now(), answers)
        record_resolutions(root, digest, noted)
    counts = (len(mended), len(lines) - len(mended), len(answers))
    return ReplayResult(quarantine.run_id, path, digest, len(content), *counts, is_new)


def _judged(quarantine: Quarantine, file: str) -> list[RepairedLine]:
    """The lines of a file, judged by the rules of the run that rejected them."""
    found = find_files([file], quarantine.root)
    if len(found.files) > 1:
        raise UsageError(f"{file} is more than one file", "name the file of mended lines")
    options = StageOptions.from_json(quarantine.document(RECORD)["options"])
    reads = LocalReader(quarantine.root.access)
    lander = Lander(LandingFolder.local(quarantine.scratch / "landed"), reads)
    engine = quarantine.engine

    def judge(manifest: Manifest) -> None:
        judge_lines(engine, [each.as_lines() for each in manifest.files])
        keep_records(engine, options, frozenset())

    manifest = lander.ingest(found)
    (mended,) = manifest.files
    if mended.shape is Shape.BROKEN:  # a line that breaks off is a line here, not a broken file
        manifest = lander.land(manifest, [mended.as_lines().path])
    try:
        judge(manifest)
    except LinesRefused as refused:
        judge(lander.land(manifest, refused.paths))
    judged = engine.rows(Query("mended"))
    try:
        uri = (mended.shape.has_items and mended.landed) or mended.uri
        given = list(lines_of(reads.content(uri)))
    except (OSError, *DAMAGED_GZIP) as error:
        raise ReplayRefused(f"{file} cannot be read to its end", "write it anew") from error
    return [
        RepairedLine(number, content, tuple(reasons), is_rejected, facility)
        for (number, content), (reasons, is_rejected, facility) in zip(given, judged, strict=True)
    ]


def _require_repaired(quarantine: Quarantine, lines: Sequence[RepairedLine]) -> None:
    """Refuse lines that are broken still, but for those that the run rejected as they are."""
    broken: set[bytes | None] = {line.content for line in lines if line.is_rejected}
    if broken:
        for found in rejected_lines(quarantine.engine, Selection()):
            broken.discard(found.line)
    for line in lines:
        if line.content in broken:
            raise ReplayRefused(
                f"line {line.number} would still be rejected ({', '.join(line.reasons)});"
                " nothing was added",
                "mend it, or leave it out, and replay the file again",
            )


def _present(quarantine: Quarantine, digest: str) -> str | None:
    """The raw file that has this content already, on whatever day it was replayed."""
    root = quarantine.root
    present = (file.uri for file in root.storage.list(root.raw) if content_of(file.uri) == digest)
    return next(present, None)


def _answers(
    quarantine: Quarantine, lines: Sequence[RepairedLine], selection: Selection
) -> list[Resolution]:
    """What the mended lines answer: by place if none was taken out or added, else by id."""

    def unanswered() -> Iterator[RejectedLine]:
        found = rejected_lines(quarantine.engine, selection)
        return (line for line in found if line.is_mendable)

    if len(lines) == tally(quarantine.engine, selection).mendable:
        return resolve_by_position(lines, unanswered())
    return resolve_by_id(lines, unanswered())


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
