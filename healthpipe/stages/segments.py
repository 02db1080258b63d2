"""Curated segments: typed Parquet of the files that were new in a run, reused by later runs."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from healthpipe.contract import CONSTANTS
from healthpipe.engines.sql import sql_folder
from healthpipe.ingest.manifest import InputFile
from healthpipe.stages.rules import NullWords
from healthpipe.storage import is_s3
from healthpipe.storage.base import TEMPORARY
from healthpipe.storage.layout import Root, require_known_version
from healthpipe.storage.scratch import stats

SCHEMA_VERSION = 2
DATA, DESCRIPTION = "judged.parquet", "segment.json"
# The SQL that determines the rows of a segment.
SEGMENT_SQL = ("judged.sql", "functions/*.sql", "duckdb/*.sql", "athena/*.sql")


@dataclass(frozen=True)
class Segment:
    """A segment: its folder, the URIs of its Parquet, the identities of the files in it."""

    folder: str
    data: tuple[str, ...]
    files: frozenset[str]
    null_words: NullWords


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


def usable_segments(root: Root, files: Sequence[InputFile], null_words: NullWords) -> list[Segment]:
    """Find earlier segments that hold only these files, as they are now, none of them twice.

    They were judged with the same words for nothing. None holds a file that cannot be read now.
    """
    wanted = {_identity(file) for file in files if not file.is_unreadable}
    found: list[Segment] = []
    for folder in segment_folders(root):
        segment = _read_segment(root, folder)
        if segment and segment.null_words == null_words and segment.files <= wanted:
            found.append(segment)
            wanted -= segment.files
    return found


def segment_folders(root: Root) -> Iterator[str]:
    """The folders of segments, finished or not, without those that are being removed."""
    for folder in root.storage.folders(root.curated):
        if not PurePath(folder).name.startswith(TEMPORARY):
            yield folder


def is_finished(root: Root, folder: str) -> bool:
    """Whether a segment has its description, which is written last."""
    return root.storage.stat(f"{folder}/{DESCRIPTION}") is not None


def why_unusable(root: Root, folder: str) -> str | None:
    """Why no run can use a finished segment any more; None if one still can.

    A missing file makes it unusable only if its URI means the same to everybody. A relative path
    may be that of a run started in another folder, and in a root on S3 a local path may be that of
    another machine.
    """
    segment = _read_segment(root, folder)
    if segment is None:
        return "other rules or SQL made it"
    identities = [json.loads(identity) for identity in segment.files]
    present = stats((uri for uri, *_ in identities), root.access)
    for uri, _, size, version, *_ in identities:
        found = present.get(uri)
        is_unambiguous = is_s3(uri) or (PurePath(uri).is_absolute() and not root.is_remote)
        if found is None and is_unambiguous:
            return "a file of it is gone"
        if found and (found.size, found.version if version else "") != (size, version):
            return "a file of it has changed"
    return None


def _read_segment(root: Root, folder: str) -> Segment | None:
    """Read the description of a finished segment that today's SQL and rules have made.

    Raises `NewerDocument`.
    """
    uri = f"{folder}/{DESCRIPTION}"
    content = root.storage.read(uri)
    try:
        document: dict[str, Any] = json.loads(content[0]) if content else {}
    except ValueError:
        return None
    require_known_version(document, SCHEMA_VERSION, uri)
    held = frozenset(document.get("files", ()))
    if document.get("schema_version") != SCHEMA_VERSION or not held:
        return None
    null_words = NullWords.from_json(document.get("null_words", ()))
    if document.get("fingerprint") != fingerprint(null_words=null_words):
        return None
    data = tuple(f"{folder}/{name}" for name in document["data"])
    return Segment(folder, data, held, null_words)


def files_not_in(segments: Iterable[Segment], files: Sequence[InputFile]) -> list[InputFile]:
    """The files that are in no segment; those that could not be read never are."""
    held = frozenset().union(*(segment.files for segment in segments))
    return [file for file in files if _identity(file) not in held]


def forget_segments(root: Root, files: Iterable[InputFile]) -> None:
    """Have no run use the segments of this SQL that hold any of these files.

    Their Parquet stays, for runs that have it in their results.
    """
    lost = {_identity(file) for file in files}
    for folder in segment_folders(root):
        segment = _read_segment(root, folder)
        if segment and segment.files & lost:
            root.storage.delete(f"{folder}/{DESCRIPTION}")


def describe_segment(
    files: Sequence[InputFile], data: Sequence[str], null_words: NullWords
) -> bytes:
    """The document segment.json, which makes a segment usable; `data` are names in its folder.

    One of no files is used by no other run.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "fingerprint": fingerprint(null_words=null_words),
        "null_words": null_words.to_json(),
        "data": list(data),
        "files": [_identity(file) for file in files],
    }
    return json.dumps(document, indent=1).encode()


def _identity(file: InputFile) -> str:
    """What identifies a file's rows. A stream is like no other file, even with the same name."""
    stream = None if file.version else file.landed
    return json.dumps([file.uri, file.source, file.size, file.version, stream, file.folder_date])
