"""Curated segments: typed Parquet of the files that were new in a run, used again by later runs."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from healthpipe.contract import CONSTANTS
from healthpipe.engines.sql import sql_folder
from healthpipe.ingest.manifest import InputFile
from healthpipe.storage.base import TEMPORARY
from healthpipe.storage.copies import stats
from healthpipe.storage.layout import Root
from healthpipe.storage.uris import is_s3

SCHEMA_VERSION = 2
DATA, DESCRIPTION = "judged.parquet", "segment.json"
# What decides the rows of a segment, besides its files.
MEANING = ("judged.sql", "functions/*.sql", "duckdb/*.sql", "athena/*.sql")


@dataclass(frozen=True)
class Segment:
    """A segment: its folder, where its Parquet lies, which files with which identity it holds."""

    folder: str
    data: tuple[str, ...]
    files: frozenset[str]


def fingerprint(patterns: Sequence[str] = MEANING) -> str:
    """A digest of the rules and of SQL files, by default of those that make a segment: one that
    others made may not be used.
    """
    digest = hashlib.sha256(json.dumps(CONSTANTS).encode())
    for pattern in patterns:
        for path in sorted(sql_folder().glob(pattern)):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def usable_segments(root: Root, files: Sequence[InputFile]) -> list[Segment]:
    """Earlier segments that hold only files of this run, as they are now, none of them twice."""
    wanted = {_identity(file) for file in files}
    found: list[Segment] = []
    for folder in segment_folders(root):
        segment = _read_segment(root, folder)
        if segment and segment.files <= wanted:
            found.append(segment)
            wanted -= segment.files
    return found


def segment_folders(root: Root) -> Iterator[str]:
    """The folders of segments, finished or not; what is being removed is none any more."""
    for folder in root.storage.folders(root.curated):
        if not PurePath(folder).name.startswith(TEMPORARY):
            yield folder


def is_finished(root: Root, folder: str) -> bool:
    """Whether a segment's description is there, which is written last."""
    return root.storage.stat(f"{folder}/{DESCRIPTION}") is not None


def why_unusable(root: Root, folder: str) -> str | None:
    """Why no run can use a finished segment any more; None where one can.

    A file under a relative name may be another one's who stands elsewhere, and one of this machine
    in a root that others use another machine's: where there is none of that name, nobody can tell.
    """
    segment = _read_segment(root, folder)
    if segment is None:
        return "other rules or SQL made it"
    identities = [json.loads(identity) for identity in segment.files]
    now = stats((uri for uri, *_ in identities), root.access)
    for uri, _, size, version, *_ in identities:
        found = now.get(uri)
        is_known = is_s3(uri) or (PurePath(uri).is_absolute() and not root.is_remote)
        if found is None and is_known:
            return "a file of it is gone"
        if found and (found.size, found.version if version else "") != (size, version):
            return "a file of it has changed"
    return None


def _read_segment(root: Root, folder: str) -> Segment | None:
    """A finished segment that the SQL and the rules of today have made."""
    content = root.storage.read(f"{folder}/{DESCRIPTION}")
    try:
        document: dict[str, Any] = json.loads(content[0]) if content else {}
    except ValueError:
        return None
    held = frozenset(document.get("files", ()))
    is_current = document.get("schema_version") == SCHEMA_VERSION
    if not is_current or document.get("fingerprint") != fingerprint() or not held:
        return None
    return Segment(folder, tuple(f"{folder}/{name}" for name in document["data"]), held)


def files_not_in(segments: Iterable[Segment], files: Sequence[InputFile]) -> list[InputFile]:
    """The files that no segment holds."""
    held = frozenset().union(*(segment.files for segment in segments))
    return [file for file in files if _identity(file) not in held]


def describe_segment(files: Sequence[InputFile], data: Sequence[str]) -> bytes:
    """The document that makes a segment's Parquet usable, by names in its folder; written last."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "fingerprint": fingerprint(),
        "data": list(data),
        "files": [_identity(file) for file in files],
    }
    return json.dumps(document, indent=1).encode()


def _identity(file: InputFile) -> str:
    """All that decides a file's rows. A stream is like no other file, even with the same name."""
    stream = None if file.version else file.landed
    return json.dumps([file.uri, file.source, file.size, file.version, stream, file.folder_date])
