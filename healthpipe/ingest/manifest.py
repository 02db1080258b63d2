"""The input manifest: exactly the files that a run reads, and how each is read."""

import datetime
import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from healthpipe.contract import Reason
from healthpipe.engines.base import LineFile
from healthpipe.ingest.landing import (
    gzip_is_whole,
    is_container,
    is_gzip,
    land,
    land_container,
    land_rejected,
    spool,
)
from healthpipe.ingest.shapes import Shape
from healthpipe.ingest.sources import Found, FoundFile
from healthpipe.storage.base import Storage

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class InputFile:
    """One file of a run. `landed` is where its lines lie if not in the file itself.

    `shape` and `compression` are told by its content. `landed_lines` are the lines written there.
    """

    uri: str
    source: str
    size: int
    version: str
    compression: str
    folder_date: str | None
    landed: str | None = None
    shape: Shape = Shape.LINES
    landed_lines: int | None = None

    def as_lines(self) -> LineFile:
        """How an engine reads it."""
        date = datetime.date.fromisoformat(self.folder_date) if self.folder_date else None
        path = self.landed or self.uri
        return LineFile(path, self.source, date, self.landed is not None, self.size)


@dataclass(frozen=True)
class Manifest:
    """The files of a run by their names, and those that were passed over."""

    files: tuple[InputFile, ...]
    skipped: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """The size of all files as they lie."""
        return sum(file.size for file in self.files)

    @property
    def uris(self) -> list[str]:
        """Where the files lie."""
        return [file.uri for file in self.files]

    @property
    def landed_lines(self) -> dict[str, int]:
        """How many lines were written for each file that was rewritten, by its name."""
        return {
            file.source: file.landed_lines for file in self.files if file.landed_lines is not None
        }

    def to_json(self) -> dict[str, Any]:
        """The document that a run keeps as inputs.json."""
        files = [asdict(file) for file in self.files]
        return {"schema_version": SCHEMA_VERSION, "files": files, "skipped": list(self.skipped)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Manifest":
        """The manifest that `to_json` wrote."""
        files = (InputFile(**{**file, "shape": Shape(file["shape"])}) for file in document["files"])
        return cls(tuple(files), tuple(document["skipped"]))

    def changed_files(self, storage: Storage) -> list[str]:
        """The files that are no longer as they were listed. A stream has nothing to compare."""
        return [
            file.uri
            for file in self.files
            if file.version and _version(storage, file.uri) != file.version
        ]


class Lander:
    """Decides for each file whether it is read where it lies, and rewrites those that are not."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self._storage = storage
        self._folder = folder

    def take_in(self, found: Found) -> Manifest:
        """The manifest of files just found. Standard input and pipes are kept in the run."""
        for file in found.files:
            # Here and not in a thread: reading may wait for ever, and a signal has to end it.
            if file.is_stream and not self._kept(file).exists():
                spool(file.uri, self._kept(file))
        with ThreadPoolExecutor() as pool:
            files = tuple(pool.map(self._take_in, enumerate(found.files)))
        return Manifest(files, found.skipped)

    def land(self, manifest: Manifest, refused: Iterable[str]) -> Manifest:
        """The manifest with the files that the engine's reader refused rewritten."""
        paths = frozenset(refused)
        return replace(
            manifest,
            files=tuple(
                self._landed(file, index) if file.as_lines().path in paths else file
                for index, file in enumerate(manifest.files)
            ),
        )

    def _kept(self, stream: FoundFile) -> Path:
        """Where a stream is kept: it is read once, while the manifest may be made anew."""
        return self._folder / f"{hashlib.sha256(stream.uri.encode()).hexdigest()}.stream"

    def _take_in(self, numbered: tuple[int, FoundFile]) -> InputFile:
        index, found = numbered
        date = found.folder_date.isoformat() if found.folder_date else None
        if found.is_stream:
            kept = self._kept(found)
            size = kept.stat().st_size
            return self._judged(InputFile(str(kept), found.source, size, "", "none", date), index)
        status = self._storage.stat(found.uri)
        size, version = (status.size, status.version) if status else (0, "gone")
        return self._judged(InputFile(found.uri, found.source, size, version, "none", date), index)

    def _judged(self, file: InputFile, index: int) -> InputFile:
        try:
            packed = is_gzip(file.uri)
            file = replace(file, compression="gzip" if packed else "none")
            if packed and not gzip_is_whole(file.uri):
                return self._rejected(file, index, Reason.FILE_TRUNCATED)
            target = self._target(index)
            if is_container(file.uri) and (found := land_container(file.uri, target)):
                shape, lines = found
                return replace(file, landed=str(target), shape=shape, landed_lines=lines)
        except OSError:
            return self._rejected(file, index, Reason.FILE_UNREADABLE)
        # An engine's reader trusts the suffix, and knows names in UTF-8 only.
        if packed != file.uri.lower().endswith(".gz") or not _is_utf8(file.uri):
            return self._landed(file, index)
        return file

    def _landed(self, file: InputFile, index: int) -> InputFile:
        target = self._target(index)
        lines = land(file.uri, target)
        return replace(file, landed=str(target), landed_lines=lines)

    def _rejected(self, file: InputFile, index: int, reason: Reason) -> InputFile:
        target = self._target(index)
        land_rejected(target, reason)
        return replace(file, landed=str(target), landed_lines=1)

    def _target(self, index: int) -> Path:
        return self._folder / f"{index:06}.ndjson"


def _version(storage: Storage, uri: str) -> str | None:
    status = storage.stat(uri)
    return status.version if status else None


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
