"""Curated segments: typed Parquet of judged lines, found by the files that they are of.

A segment is a folder of Parquet files and a description, `segment.json`, which is written last and
names every file whose lines it holds. Such a file is known by its absolute URI and version; what
depends on where a SOURCE begins, its name in results and the date of its folder, is joined when a
segment is read.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import PurePath
from typing import Any

import msgspec

import healthpipe
from healthpipe.choices import EngineName
from healthpipe.contract import CONSTANTS
from healthpipe.engines.base import SegmentFile, SegmentRows
from healthpipe.engines.sql import sql_folder
from healthpipe.ingest.manifest import InputFile
from healthpipe.stages.rules import NullWords
from healthpipe.storage import absolute_uri, is_s3
from healthpipe.storage.base import TEMPORARY
from healthpipe.storage.layout import Root, require_known_version
from healthpipe.storage.scratch import stats

SCHEMA_VERSION = 3
DATA, DESCRIPTION = "judged.parquet", "segment.json"
# The end of the name of a folder with what a run has merged.
MERGED = "-merged"
# The document in which a run keeps which segments it reads.
SEGMENTS = "segments.json"
# The SQL that determines the rows of a segment.
SEGMENT_SQL = ("judged.sql", "functions/*.sql", "duckdb/*.sql", "athena/*.sql")


@dataclass(frozen=True)
class SegmentPart:
    """A Parquet file of a segment: its name in the folder, its size, its SHA-256 if it is known."""

    name: str
    bytes: int
    sha256: str | None = None


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The document `segment.json`: by what a segment was made, its data, and the files in it.

    `files` are in the order of their numbers in the column `file_number`, which begin with 1.
    """

    schema_version: int = SCHEMA_VERSION
    version: str = healthpipe.__version__
    engine: EngineName
    fingerprint: str
    null_words: list[str]
    data: list[SegmentPart]
    files: list[InputFile]


@dataclass(frozen=True)
class Segment:
    """A finished segment: its folder, its description, and the key of each of its input files."""

    folder: str
    description: Description
    keys: tuple[str, ...] = field(repr=False)

    @property
    def data(self) -> tuple[str, ...]:
        """The URIs of its Parquet."""
        return tuple(f"{self.folder}/{part.name}" for part in self.description.data)

    def reading(self, files: Iterable[InputFile]) -> SegmentRows:
        """Select the input files to read, given as they were found: with their present names."""
        wanted = {file_key(file): file for file in files}
        held = map(wanted.get, self.keys)
        return SegmentRows(
            self.folder, self.data, tuple(as_segment_file(file) if file else None for file in held)
        )


def as_segment_file(file: InputFile) -> SegmentFile:
    """The name and the date that the rows of a file have."""
    day = date.fromisoformat(file.folder_date) if file.folder_date else None
    return SegmentFile(file.source, day)


def fingerprint(patterns: Sequence[str] = SEGMENT_SQL, null_words: NullWords | None = None) -> str:
    """Hash the rules and SQL files, by default those that make a segment, and words for nothing.

    A segment with another fingerprint was made by other rules and must not be used.
    """
    words = (null_words or NullWords()).to_json()
    digest = hashlib.sha256(json.dumps([CONSTANTS, words]).encode())
    for pattern in patterns:
        for path in sorted(sql_folder().glob(pattern)):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def find_segments(
    stores: Iterable[Root], null_words: NullWords, engine: EngineName
) -> list[Segment]:
    """Find the whole segments of roots that an engine can use, those with the most files first.

    They were made by this version, its SQL and rules, and with these words for nothing. Rows of
    Athena's are in no order, so that the embedded engine, which promises one, leaves them.
    """
    own = fingerprint(null_words=null_words)
    found = []
    for root in stores:
        for folder in segment_folders(root):
            segment = _read_segment(root, folder)
            if segment is None or segment.description.fingerprint != own:
                continue
            is_ordered = segment.description.engine is EngineName.DUCKDB
            if (is_ordered or engine is EngineName.ATHENA) and _is_whole(root, segment):
                found.append(segment)
    return sorted(found, key=_most_files_first)


def choose_segments(
    segments: Iterable[Segment], files: Sequence[InputFile]
) -> tuple[list[SegmentRows], list[InputFile]]:
    """Choose the segments to read files from, each from one; returns the files that are in none.

    A file is in none of which the lines are of no use to other runs.
    """
    missing = {file_key(file): file for file in files if not file.is_of_one_run}
    own = [file for file in files if file.is_of_one_run]
    chosen = []
    for segment in segments:
        if held := missing.keys() & segment.keys:
            chosen.append(segment.reading(missing.pop(key) for key in held))
    return chosen, [*missing.values(), *own]


def reusable_files(segments: Iterable[Segment]) -> list[InputFile]:
    """The files in segments that need not be opened again: what is in them is known.

    Not those of an archive of which some members are in none.
    """
    found: dict[str, InputFile] = {}
    for segment in segments:
        groups: dict[str, list[InputFile]] = {}
        for file in segment.description.files:
            groups.setdefault(file.uri, []).append(file)
        for group in groups.values():
            is_complete = all(file.archive_members in (0, len(group)) for file in group)
            if is_complete and all(file.version for file in group):
                found |= {file_key(file): replace(file, is_reused=True) for file in group}
    return list(found.values())


def segment_folders(root: Root) -> Iterator[str]:
    """The folders of segments, finished or not, without those that are being removed."""
    for folder in root.storage.folders(root.curated):
        if not PurePath(folder).name.startswith(TEMPORARY):
            yield folder


def is_finished(root: Root, folder: str) -> bool:
    """Whether a segment has its description, which is written last."""
    return root.storage.stat(f"{folder}/{DESCRIPTION}") is not None


def replaced_segments(root: Root, before: float) -> frozenset[str]:
    """The folders of segments of which larger ones hold every file.

    The larger ones were finished `before` a time in seconds since 1970.
    """
    found = [each for folder in segment_folders(root) if (each := _read_segment(root, folder))]
    replaced: set[str] = set()
    held: dict[tuple[str, EngineName], set[str]] = {}
    for segment in sorted(found, key=_most_files_first):
        kind = segment.description.fingerprint, segment.description.engine
        keys = held.setdefault(kind, set())
        if keys.issuperset(segment.keys):
            replaced.add(segment.folder)
            continue
        written = root.storage.stat(f"{segment.folder}/{DESCRIPTION}")
        if written and written.modified < before and _is_whole(root, segment):
            keys.update(segment.keys)
    return frozenset(replaced)


def _most_files_first(segment: Segment) -> tuple[int, str]:
    return -len(segment.keys), segment.folder


def why_unusable(root: Root, folder: str) -> str | None:
    """Why no run can use a finished segment any more; None if one still can.

    A missing file makes it unusable only if its URI means the same to everybody: in a root on S3 a
    local path may be that of another machine.
    """
    segment = _read_segment(root, folder)
    if segment is None:
        return "other rules or SQL made it"
    words = NullWords.from_json(segment.description.null_words)
    if segment.description.fingerprint != fingerprint(null_words=words):
        return "other rules or SQL made it"
    if not _is_whole(root, segment):
        return "its data is damaged"
    files = segment.description.files
    present = stats((file.uri for file in files), root.access)
    for file in files:
        found = present.get(file.uri)
        if found is None and (is_s3(file.uri) or not root.is_remote):
            return "a file of it is gone"
        if found and (found.size, found.version if file.version else "") != (
            file.size,
            file.version,
        ):
            return "a file of it has changed"
    return None


def forget_segments(stores: Iterable[Root], files: Iterable[InputFile]) -> None:
    """Have no run use the segments of this SQL in roots that hold any of these files.

    Their Parquet stays, for runs that have it in their results.
    """
    lost = {file_key(file) for file in files}
    for root in stores:
        for folder in segment_folders(root):
            segment = _read_segment(root, folder)
            if segment and not lost.isdisjoint(segment.keys):
                root.storage.delete(f"{folder}/{DESCRIPTION}")


def describe_segment(
    files: Sequence[InputFile],
    data: Sequence[SegmentPart],
    null_words: NullWords,
    engine: EngineName,
) -> bytes:
    """The document segment.json, which makes a segment usable.

    One of no files is used by no other run.
    """
    description = Description(
        engine=engine,
        fingerprint=fingerprint(null_words=null_words),
        null_words=list(null_words.to_json()),
        data=list(data),
        files=[replace(file, uri=absolute_uri(file.uri), is_reused=False) for file in files],
    )
    # Names of files may have bytes that are not UTF-8, which only this module writes.
    return json.dumps(msgspec.to_builtins(description), indent=1).encode()


def segments_document(root: Root, segments: Iterable[SegmentRows]) -> dict[str, Any]:
    """The document in which a run keeps which segments of its root it reads, by relative places."""
    prefix = f"{root.uri}/"
    relative = [
        replace(
            segment,
            folder=segment.folder.removeprefix(prefix),
            paths=tuple(path.removeprefix(prefix) for path in segment.paths),
        )
        for segment in segments
        if segment.folder.startswith(prefix)
    ]
    return {"schema_version": 1, "segments": msgspec.to_builtins(relative)}


def segments_in(root: Root, document: Mapping[str, Any]) -> list[SegmentRows]:
    """Parse the document that `segments_document` made."""
    require_known_version(document, 1, "segments.json of the run")
    return [
        replace(
            segment,
            folder=f"{root.uri}/{segment.folder}",
            paths=tuple(f"{root.uri}/{path}" for path in segment.paths),
        )
        for segment in msgspec.convert(document["segments"], list[SegmentRows])
    ]


def file_key(file: InputFile) -> str:
    """What identifies a file's rows. A stream is like no other file, even with the same name."""
    stream = None if file.version else file.landed
    return json.dumps([absolute_uri(file.uri), file.size, file.version, stream, file.member])


def _read_segment(root: Root, folder: str) -> Segment | None:
    """Read the description of a finished segment that this version has made.

    Raises `NewerDocument`.
    """
    uri = f"{folder}/{DESCRIPTION}"
    content = root.storage.read(uri)
    try:
        document = json.loads(content[0]) if content else {}
    except ValueError:
        return None
    require_known_version(document, SCHEMA_VERSION, uri)
    try:
        description = msgspec.convert(document, Description)
    except msgspec.ValidationError:
        return None
    is_current = (description.schema_version, description.version) == (
        SCHEMA_VERSION,
        healthpipe.__version__,
    )
    if not is_current or not description.files:
        return None
    return Segment(folder, description, tuple(map(file_key, description.files)))


def _is_whole(root: Root, segment: Segment) -> bool:
    """Whether the Parquet of a segment is there, in its size."""
    sizes = {file.uri: file.size for file in root.storage.list(segment.folder)}
    return all(
        sizes.get(uri) == part.bytes
        for uri, part in zip(segment.data, segment.description.data, strict=True)
    )
