"""Curated segments: typed Parquet of the files that were new in a run, used again by later runs."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from healthpipe.contract import CONSTANTS
from healthpipe.engines.sql import sql_folder
from healthpipe.ingest.manifest import InputFile
from healthpipe.storage.layout import Root

SCHEMA_VERSION = 1
DATA, DESCRIPTION = "judged.parquet", "segment.json"
# What decides the rows of a segment, besides its files.
MEANING = ("judged.sql", "functions/*.sql", "duckdb/*.sql", "athena/*.sql")


@dataclass(frozen=True)
class Segment:
    """A segment: where its Parquet lies, and which files with which identity it holds."""

    uri: str
    files: frozenset[str]


def fingerprint() -> str:
    """A digest of the SQL and the rules that made a segment: others may not use it."""
    digest = hashlib.sha256(json.dumps(CONSTANTS).encode())
    for pattern in MEANING:
        for path in sorted(sql_folder().glob(pattern)):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def usable_segments(root: Root, files: Sequence[InputFile]) -> list[Segment]:
    """Earlier segments that hold only files of this run, as they are now, none of them twice."""
    wanted = {_identity(file) for file in files}
    found: list[Segment] = []
    for stored in root.storage.list(root.curated):
        if not stored.uri.endswith(f"/{DESCRIPTION}"):
            continue
        content = root.storage.read(stored.uri)
        document: dict[str, Any] = json.loads(content[0]) if content else {}
        held = frozenset(document.get("files", ()))
        if document.get("fingerprint") == fingerprint() and held and held <= wanted:
            found.append(Segment(stored.uri.replace(DESCRIPTION, DATA), held))
            wanted -= held
    return found


def files_not_in(segments: Iterable[Segment], files: Sequence[InputFile]) -> list[InputFile]:
    """The files that no segment holds."""
    held = frozenset().union(*(segment.files for segment in segments))
    return [file for file in files if _identity(file) not in held]


def describe_segment(files: Sequence[InputFile]) -> bytes:
    """The document that makes a segment's Parquet usable; written last."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "fingerprint": fingerprint(),
        "files": [_identity(file) for file in files],
    }
    return json.dumps(document, indent=1).encode()


def _identity(file: InputFile) -> str:
    """All that decides a file's rows. A stream is like no other file, even with the same name."""
    parts = [file.uri, file.source, file.size, file.version or file.landed, file.folder_date]
    return json.dumps(parts)
