"""Replay repaired lines: add them to the raw files, and record which rejected lines they resolve.

A file of repaired lines is judged by the rules of the run that rejected them. What is accepted
becomes a new raw file, named by its content; the resolutions lie below `state/`.
"""

import datetime
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from healthpipe.contract import RULES, TEXT_SPACE, Reason
from healthpipe.engines.base import Query
from healthpipe.errors import ReplayRefused, UsageError
from healthpipe.ingest.formats import Shape
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.landing import LandingFolder, read_records
from healthpipe.ingest.manifest import InputFile, Manifest
from healthpipe.ingest.packing import FileRefused
from healthpipe.ingest.readers import LocalReader
from healthpipe.ingest.sources import find_files
from healthpipe.ingest.unpacking import Record
from healthpipe.quarantine.rejects import Quarantine
from healthpipe.runs.record import utc_now
from healthpipe.stages.curate import judge_lines, keep_records
from healthpipe.stages.options import StageOptions
from healthpipe.stages.resolutions import (
    RejectedLine,
    Resolution,
    Resolutions,
    Selection,
    record_resolutions,
    rejected_lines,
    replayed_digest,
    replayed_name,
)
from healthpipe.storage.layout import RECORD

# Every text from every quote on, for in a broken line nobody knows which quote begins one.
_TEXTS = re.compile(rb'(?=("(?:[^"\\]|\\.){1,500}"))')
_NUMBERS = re.compile(rb"[:,\[][ \t]*([0-9]{1,18})(?=[ \t]*(?:[,}\]]|$))")
_NARROW = "narrow with --reason and --source, or repair the lines of a new export"


@dataclass(frozen=True)
class JudgedLine:
    """A record of the replayed file, by its place there, with the verdict on it."""

    place: str
    content: bytes
    reasons: tuple[str, ...]
    is_rejected: bool
    facility_id: str | None


@dataclass(frozen=True)
class ReplayResult:
    """The result of a replay.

    `path` is the raw file with the repaired lines, None if there are none; `sha256` and `bytes`
    are of its content. `repaired` and `unrepaired` count the lines of the file, `resolved` the
    rejected lines that were recorded as resolved. `is_new` if the raw file was written now.
    """

    run_id: str
    path: str | None
    sha256: str
    bytes: int
    repaired: int
    unrepaired: int
    resolved: int
    is_new: bool

    def to_json(self) -> dict[str, Any]:
        """The body of the `--json` document."""
        return {
            "run_id": self.run_id,
            "path": self.path,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "mended": self.repaired,
            "unmended": self.unrepaired,
            "answered": self.resolved,
            "is_new": self.is_new,
        }


def replay(quarantine: Quarantine, file: str, selection: Selection) -> ReplayResult:
    """Add the repaired lines of a file to the raw files, and record what they resolve.

    Lines that the file has as they were rejected stay unresolved. The same file replayed again
    adds nothing. Raises `UsageError`, having added nothing.
    """
    lines = _judge_file(quarantine, file)
    _require_repaired(quarantine, lines)
    repaired = [line.content + b"\n" for line in lines if not line.is_rejected]
    content = b"".join(repaired)
    digest = hashlib.sha256(content).hexdigest()
    root = quarantine.root
    path = _find_replayed(quarantine, digest)
    is_new = path is None and bool(repaired)
    resolved: list[Resolution] = []
    if repaired and (is_new or root.storage.stat(root.resolutions(digest)) is None):
        resolved = _match_lines(quarantine, lines, selection)
        if path is None:
            path = f"{root.raw}/{_today()}/{replayed_name(digest)}"
            # First the records, then the resolutions: killed in between, the rejected lines still
            # count as unresolved, and the same replay records them. The other way round they
            # would pass for resolved while their facilities are missing.
            root.storage.write(path, content)
        resolutions = Resolutions(quarantine.run_id, path, utc_now(), resolved)
        record_resolutions(root, digest, resolutions)
    return ReplayResult(
        run_id=quarantine.run_id,
        path=path,
        sha256=digest,
        bytes=len(content),
        repaired=len(repaired),
        unrepaired=len(lines) - len(repaired),
        resolved=len(resolved),
        is_new=is_new,
    )


def _judge_file(quarantine: Quarantine, file: str) -> list[JudgedLine]:
    """Judge the records of a file by the rules of the run that rejected them."""
    found = find_files([file], quarantine.root)
    is_one = len(found.files) == 1
    options = StageOptions.from_json(quarantine.document(RECORD)["options"])
    reader = LocalReader(quarantine.root.access)
    lander = Lander(LandingFolder.local(quarantine.scratch / "landed"), reader)
    files = lander.ingest(found).files if is_one else ()
    if len(files) != 1:
        raise UsageError(f"{file} is more than one file", "name the file of repaired lines")
    (repaired,) = files
    if repaired.refusal not in (None, Reason.FILE_NOT_JSON):
        rule = next(rule for rule in RULES if rule.reason is repaired.refusal)
        raise ReplayRefused(f"{file} cannot be replayed: {rule.meaning}", rule.advice)
    if repaired.shape is Shape.BROKEN:  # a line that breaks off is a line here, not a broken file
        repaired = replace(repaired, landed=None, shape=Shape.LINES)
    # Landed in any case, so that a line that holds several records comes to these.
    landed = lander.land(Manifest((repaired,), ()), [repaired.uri])
    judge_lines(quarantine.engine, [each.as_lines() for each in landed.files], options)
    keep_records(quarantine.engine, options, frozenset())
    verdicts = quarantine.engine.rows(Query("mended"))
    records = _read_records(quarantine, file, repaired, reader)
    return [
        JudgedLine(record.place, content, tuple(reasons), is_rejected, facility)
        for (record, content), (reasons, is_rejected, facility) in zip(
            records, verdicts, strict=True
        )
    ]


def _read_records(
    quarantine: Quarantine, name: str, file: InputFile, reader: LocalReader
) -> list[tuple[Record, bytes]]:
    """The records of a file with their bytes. Raises `ReplayRefused` if it is damaged."""
    try:
        records = read_records(reader.content_of(file), file.shape, quarantine.scratch / "read")
        return [
            (record, value.read_bytes() if isinstance(value := record.value, Path) else value)
            for record in records
        ]
    except (OSError, FileRefused) as error:
        raise ReplayRefused(f"{name} cannot be read to its end", "write it anew") from error


def _require_repaired(quarantine: Quarantine, lines: Sequence[JudgedLine]) -> None:
    """Refuse lines that are still broken, except those that are as the run rejected them."""
    broken: set[bytes | None] = {line.content for line in lines if line.is_rejected}
    if broken:
        for rejected in rejected_lines(quarantine.engine, Selection()):
            broken.discard(rejected.line)
    for line in lines:
        if line.content in broken:
            raise ReplayRefused(
                f"line {line.place} would still be rejected ({', '.join(line.reasons)});"
                " nothing was added",
                "repair it, or leave it out, and replay the file again",
            )


def _find_replayed(quarantine: Quarantine, digest: str) -> str | None:
    """The raw file that has this content already, whatever day it was replayed on."""
    root = quarantine.root
    uris = (file.uri for file in root.storage.list(root.raw))
    return next((uri for uri in uris if replayed_digest(uri) == digest), None)


def _match_lines(
    quarantine: Quarantine, lines: Sequence[JudgedLine], selection: Selection
) -> list[Resolution]:
    """Find which rejected line each repaired one resolves, each of them once."""
    found = rejected_lines(quarantine.engine, selection)
    return match(lines, (line for line in found if line.is_repairable))


def match(lines: Sequence[JudgedLine], unresolved: Iterable[RejectedLine]) -> list[Resolution]:
    """Find the unresolved lines that accepted ones resolve.

    By position if there are as many of them, and no accepted line names a facility that another
    unresolved line names and that of its position does not. Else by the facility's id.
    """
    repaired = {n: line for n, line in enumerate(lines) if not line.is_rejected}
    ids = {line.facility_id or "" for line in repaired.values()}
    naming: defaultdict[str, list[int]] = defaultdict(list)
    resolutions: list[Resolution] = []
    for position, rejected in enumerate(unresolved):
        resolutions.append(Resolution(rejected.digest, rejected.source, rejected.reasons))
        for facility in ids & _names_in(rejected.line or b""):
            naming[facility].append(position)
    named = {n: naming[line.facility_id or ""] for n, line in repaired.items()}
    if len(lines) == len(resolutions) and all(
        n in found or not found for n, found in named.items()
    ):
        return [resolutions[position] for position in repaired]
    _require_told(repaired, named)
    return [resolutions[n] for n in sorted({position for (position,) in named.values()})]


def _require_told(repaired: Mapping[int, JudgedLine], named: Mapping[int, list[int]]) -> None:
    """Check that each accepted line names a facility of its own, which one rejected line names.

    Several may come from one rejected line. Raises `ReplayRefused`.
    """
    places: dict[str, str] = {}
    for number, line in repaired.items():
        facility = line.facility_id or ""
        if len(named[number]) != 1:
            raise ReplayRefused(
                f"line {line.place} names the facility of {len(named[number])} unresolved"
                " rejected lines where it should resolve one; nothing was added",
                _NARROW,
            )
        if facility in places:
            raise ReplayRefused(
                f"lines {places[facility]} and {line.place} name the same facility and resolve"
                " the same rejected line; nothing was added",
                _NARROW,
            )
        places[facility] = line.place


def _names_in(line: bytes) -> set[str]:
    """All texts of a line, trimmed and not blank, and its whole numbers: what may be an id."""
    names = {found[1].decode() for found in _NUMBERS.finditer(line)}
    for found in _TEXTS.finditer(line):
        try:
            names.add(json.loads(found[1]).strip(TEXT_SPACE))
        except ValueError:
            continue
    return names - {""}


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
