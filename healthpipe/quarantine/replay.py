"""Mended lines come back as a new raw file, and the rejected lines that they answer are noted."""

import datetime
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from healthpipe.engines.base import LinesRefused
from healthpipe.engines.query import Query
from healthpipe.errors import ReplayRefused, UsageError
from healthpipe.ingest.content import DAMAGED_GZIP
from healthpipe.ingest.formats import Shape
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.landing_place import LandingPlace
from healthpipe.ingest.manifest import Manifest
from healthpipe.ingest.readers import ReadsHere
from healthpipe.ingest.sources import find_files
from healthpipe.quarantine.line_numbers import lines_of
from healthpipe.quarantine.rejects import Quarantine
from healthpipe.runs.record import utc_now
from healthpipe.stages.answers import Answer, Answers, content_of, record_answers, replayed_name
from healthpipe.stages.curate import judge_lines, keep_records
from healthpipe.stages.mending import MendedLine, answers_by_id, answers_in_place
from healthpipe.stages.options import StageOptions
from healthpipe.stages.resolutions import RejectedLine, Selection, rejected_lines, tally
from healthpipe.storage.layout import RECORD


@dataclass(frozen=True)
class Replayed:
    """What a replay came to: the raw file, if there is one, and how many lines it answers."""

    run_id: str
    path: str | None
    sha256: str
    bytes: int
    mended: int
    unmended: int
    answered: int
    is_new: bool


def replay(quarantine: Quarantine, file: str, selection: Selection) -> Replayed:
    """Add the mended lines of a file to the raw ones. Raises `UsageError`, having added nothing.

    Lines that the file has as they were rejected are left unanswered.
    """
    lines = _judged(quarantine, file)
    _require_mended(quarantine, lines)
    mended = [line.content + b"\n" for line in lines if not line.is_rejected]
    content = b"".join(mended)
    digest = hashlib.sha256(content).hexdigest()
    root = quarantine.root
    path = _present(quarantine, digest)
    is_new = path is None and bool(mended)
    answers: list[Answer] = []
    if mended and (is_new or root.storage.stat(root.answers(digest)) is None):
        answers = _answers(quarantine, lines, selection)
        if path is None:
            path = f"{root.raw}/{_today()}/{replayed_name(digest)}"
            # First the record, then the answers: killed in between, the rejected lines still
            # count as unanswered, and the same replay notes the answers. The other way round
            # they would pass for resolved while their facilities are missing.
            root.storage.write(path, content)
        noted = Answers(quarantine.run_id, path, utc_now(), answers)
        record_answers(root, digest, noted)
    counts = (len(mended), len(lines) - len(mended), len(answers))
    return Replayed(quarantine.run_id, path, digest, len(content), *counts, is_new)


def _judged(quarantine: Quarantine, file: str) -> list[MendedLine]:
    """The lines of a file, judged by the rules of the run that rejected them."""
    found = find_files([file], quarantine.root)
    if len(found.files) > 1:
        raise UsageError(f"{file} is more than one file", "name the file of mended lines")
    options = StageOptions.from_json(quarantine.document(RECORD)["options"])
    reads = ReadsHere(quarantine.root.access)
    lander = Lander(LandingPlace.here(quarantine.scratch / "landed"), reads)
    engine = quarantine.engine

    def judge(manifest: Manifest) -> None:
        judge_lines(engine, [each.as_lines() for each in manifest.files])
        keep_records(engine, options, frozenset())

    manifest = lander.take_in(found)
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
        MendedLine(number, content, tuple(reasons), is_rejected, facility)
        for (number, content), (reasons, is_rejected, facility) in zip(given, judged, strict=True)
    ]


def _require_mended(quarantine: Quarantine, lines: Sequence[MendedLine]) -> None:
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
    quarantine: Quarantine, lines: Sequence[MendedLine], selection: Selection
) -> list[Answer]:
    """What the mended lines answer: by place if none was taken out or added, else by id."""

    def unanswered() -> Iterator[RejectedLine]:
        found = rejected_lines(quarantine.engine, selection)
        return (line for line in found if line.is_mendable)

    if len(lines) == tally(quarantine.engine, selection).mendable:
        return answers_in_place(lines, unanswered())
    return answers_by_id(lines, unanswered())


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
