"""Results that an engine elsewhere has written in parts, where it computes: each read once."""

import hashlib
from dataclasses import dataclass

from healthpipe.cancellation import raise_if_stopping
from healthpipe.choices import Format
from healthpipe.engines.base import Engine
from healthpipe.engines.query import Query
from healthpipe.engines.result_files import count_rows
from healthpipe.storage.base import Storage


@dataclass(frozen=True)
class ResultPlace:
    """The empty folder `uri` of `storage`, where an engine elsewhere may write results itself."""

    storage: Storage
    uri: str


@dataclass(frozen=True)
class Part:
    """A part of a result: where it lies, its size in rows and bytes, its SHA-256 in hex."""

    uri: str
    rows: int
    bytes: int
    sha256: str


def unload(engine: Engine, query: Query, place: ResultPlace, fmt: Format) -> list[Part]:
    """Have a result written to a place, and look at what was written there.

    Nothing where the engine computes on this machine, or the result has no rows: then nobody has
    written a file with its schema.
    """
    parts = []
    for uri in sorted(engine.unload(query, place.uri, fmt) or ()):
        raise_if_stopping()
        local = place.storage.local_copy(uri)
        with local.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        parts.append(Part(uri, count_rows(local, fmt), local.stat().st_size, digest))
    return parts


def part_names(name: str, parts: int) -> list[str]:
    """The names of the parts of a file: `extract-00001.parquet`; its own where there is one."""
    if parts == 1:
        return [name]
    stem, dot, suffix = name.rpartition(".")
    return [f"{stem}-{number:05}{dot}{suffix}" for number in range(1, parts + 1)]
