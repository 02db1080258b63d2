"""Taking files in: told apart by content, and rewritten where they cannot be read as they are."""

import errno
import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

from healthpipe.contract import Reason
from healthpipe.errors import HealthpipeError, OutOfTime
from healthpipe.ingest.landing import (
    gzip_is_whole,
    is_container,
    is_gzip,
    land,
    land_container,
    land_rejected,
)
from healthpipe.ingest.manifest import InputFile, Manifest
from healthpipe.ingest.sources import Found, FoundFile
from healthpipe.ingest.spooling import spool
from healthpipe.stopping import raise_if_stopping
from healthpipe.storage.base import Storage

NAME_DIGITS = 24
# What writing fails with: the file that is read is not to blame.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class TakingInPaused(OutOfTime):
    """The time is up; `files` are those that were taken in."""

    def __init__(self, files: Iterable[InputFile]) -> None:
        super().__init__()
        self.files = tuple(files)


class Lander:
    """Decides for each file whether it is read where it lies, and rewrites those that are not."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self._storage = storage
        self._folder = folder

    def take_in(self, found: Found, known: Iterable[InputFile] = ()) -> Manifest:
        """The manifest of files just found. Standard input and pipes are kept in the run.

        Files that are `known` from an earlier call are not taken in again unless they changed.
        Raises `TakingInPaused` when the time is up.
        """
        ready = {(file.uri, file.version): file for file in known}
        for file in found.files:
            # Here and not in a thread: reading may wait for ever, and a signal has to end it.
            if file.is_stream and not self._kept(file).exists():
                spool(file.uri, self._kept(file))
        with ThreadPoolExecutor() as pool:
            # Each in the context of this thread, for the limit of its work.
            calls = [
                pool.submit(copy_context().run, self._take_in, file, ready) for file in found.files
            ]
        if any(isinstance(call.exception(), OutOfTime) for call in calls):
            raise TakingInPaused([call.result() for call in calls if not call.exception()])
        return Manifest(tuple(call.result() for call in calls), found.skipped)

    def land(self, manifest: Manifest, refused: Iterable[str]) -> Manifest:
        """The manifest with the files that the engine's reader refused rewritten."""
        paths = frozenset(refused)
        return replace(
            manifest,
            files=tuple(
                self._landed(file) if file.as_lines().path in paths else file
                for file in manifest.files
            ),
        )

    def _kept(self, stream: FoundFile) -> Path:
        """Where a stream is kept: it is read once, while the manifest may be made anew."""
        return self._folder / f"{hashlib.sha256(stream.uri.encode()).hexdigest()}.stream"

    def _take_in(self, found: FoundFile, ready: Mapping[tuple[str, str], InputFile]) -> InputFile:
        raise_if_stopping()
        date = found.folder_date.isoformat() if found.folder_date else None
        if found.is_stream:
            kept = self._kept(found)
            size = kept.stat().st_size
            return self._judged(InputFile(str(kept), found.source, size, "", "none", date))
        status = self._storage.stat(found.uri)
        size, version = (status.size, status.version) if status else (0, "gone")
        if known := ready.get((found.uri, version)):
            return known
        return self._judged(InputFile(found.uri, found.source, size, version, "none", date))

    def _judged(self, file: InputFile) -> InputFile:
        try:
            packed = is_gzip(file.uri)
            file = replace(file, compression="gzip" if packed else "none")
            if packed and not gzip_is_whole(file.uri):
                return self._rejected(file, Reason.FILE_TRUNCATED)
            target = self._target(file)
            if is_container(file.uri) and (found := land_container(file.uri, target)):
                shape, lines = found
                return replace(file, landed=str(target), shape=shape, landed_lines=lines)
        except HealthpipeError:
            raise
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            return self._rejected(file, Reason.FILE_UNREADABLE)
        # An engine's reader trusts the suffix, and knows names in UTF-8 only.
        if packed != file.uri.lower().endswith(".gz") or not _is_utf8(file.uri):
            return self._landed(file)
        return file

    def _landed(self, file: InputFile) -> InputFile:
        target = self._target(file)
        lines = land(file.uri, target)
        return replace(file, landed=str(target), landed_lines=lines)

    def _rejected(self, file: InputFile, reason: Reason) -> InputFile:
        target = self._target(file)
        land_rejected(target, reason)
        return replace(file, landed=str(target), landed_lines=1)

    def _target(self, file: InputFile) -> Path:
        """The same for the same file, whatever is found beside it."""
        name = hashlib.sha256(f"{file.uri}\0{file.source}".encode(errors="surrogateescape"))
        return self._folder / f"{name.hexdigest()[:NAME_DIGITS]}.ndjson"


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
