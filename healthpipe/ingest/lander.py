"""Taking files in: told apart by content, and rewritten where they cannot be read as they are."""

import errno
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.contract import Reason
from healthpipe.errors import HealthpipeError, InputChanged, ObjectMissing, OutOfTime
from healthpipe.ingest.content import DAMAGED_GZIP
from healthpipe.ingest.landing import (
    LandingFolder,
    is_container,
    land,
    land_container,
    land_rejected,
)
from healthpipe.ingest.manifest import FoundFile, FoundFiles, InputFile, Manifest
from healthpipe.ingest.readers import FileReader, spool
from healthpipe.storage.local import LocalStorage

NAME_DIGITS = 24
# What writing fails with: the file that is read is not to blame.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
# What a storage says of a file that is not what was listed: the run looks at all files again.
NOT_AS_LISTED = (ObjectMissing, InputChanged)
# So many files, and bytes that are fetched, are taken in before the next ones are begun.
BATCH_FILES, BATCH_BYTES = 1_000, 1 << 30


class IngestPaused(OutOfTime):
    """The time is up; `files` are those that were taken in."""

    def __init__(self, files: Iterable[InputFile]) -> None:
        super().__init__()
        self.files = tuple(files)


class Lander:
    """Decides for each file whether it is read where it lies, and rewrites those that are not."""

    def __init__(self, place: LandingFolder, reads: FileReader) -> None:
        self._place = place
        self._reads = reads
        self._fetched = self._fetching = self._to_fetch = 0

    def progress(self) -> float | None:
        """How much of what has to be fetched is here, from 0 to 1. Any thread."""
        if not self._to_fetch:
            return None
        return min(1.0, (self._fetched + self._fetching) / self._to_fetch)

    def take_in(self, found: FoundFiles, known: Iterable[InputFile] = ()) -> Manifest:
        """The manifest of files just found. Standard input and pipes are kept in the run.

        Files that are `known` from an earlier call are not taken in again unless they changed.
        Raises `IngestPaused` when the time is up.
        """
        ready = {(file.uri, file.version): file for file in known}
        for file in found.files:
            # Here and not in a thread: reading may wait for ever, and a signal has to end it.
            if file.is_stream and not self._place.stat(_stream_name(file)):
                spool(file.uri, self._place.folder / _stream_name(file))
                self._place.keep(self._place.folder / _stream_name(file))
        self._to_fetch = sum(file.listed.size for file in found.files if file.listed)
        taken: list[InputFile] = []
        for batch in _batches(found.files):
            self._take_in_batch(batch, ready, taken)
        return Manifest(tuple(taken), found.skipped)

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

    def _take_in_batch(
        self,
        batch: Sequence[FoundFile],
        ready: Mapping[tuple[str, str], InputFile],
        taken: list[InputFile],
    ) -> None:
        """Add the files of a batch, in their order, to those that are `taken` in."""
        wanted = [
            file.uri
            for file in batch
            if file.listed and (file.uri, file.listed.version) not in ready
        ]
        try:
            with suppress(*NOT_AS_LISTED):  # each is told apart below
                self._reads.fetch(wanted, self._count)
        except OutOfTime:
            raise IngestPaused(taken) from None
        with ThreadPoolExecutor(self._reads.threads) as pool:
            # Each in the context of this thread, for the limit of its work.
            calls = [pool.submit(copy_context().run, self._take_in, file, ready) for file in batch]
        if any(isinstance(call.exception(), OutOfTime) for call in calls):
            done = [call.result() for call in calls if not call.exception()]
            raise IngestPaused([*taken, *done])
        taken.extend(call.result() for call in calls)
        self._fetched += sum(file.listed.size for file in batch if file.listed)
        self._fetching = 0

    def _count(self, came: int, _: int) -> None:
        self._fetching = came

    def _take_in(self, found: FoundFile, ready: Mapping[tuple[str, str], InputFile]) -> InputFile:
        raise_if_cancelled()
        date = found.folder_date.isoformat() if found.folder_date else None
        if found.is_stream:
            kept = self._place.stat(_stream_name(found))
            uri, size = (kept.uri, kept.size) if kept else (found.uri, 0)
            return self._judged(InputFile(uri, found.source, size, "", "none", date))
        status = found.listed or LocalStorage().stat(found.uri)
        size, version = (status.size, status.version) if status else (0, "gone")
        if known := ready.get((found.uri, version)):
            return known
        return self._judged(InputFile(found.uri, found.source, size, version, "none", date))

    def _judged(self, file: InputFile) -> InputFile:
        try:
            content = self._reads.content(file.uri)
            packed = content.is_gzip
            file = replace(file, compression="gzip" if packed else "none")
            if packed and not content.is_whole():
                return self._rejected(file, Reason.FILE_TRUNCATED)
            target = self._target(file)
            if is_container(content) and (found := land_container(content, target)):
                shape, lines = found
                return replace(
                    file, landed=self._place.keep(target), shape=shape, landed_lines=lines
                )
            if self._reads.is_in_place(file.uri, content):
                return file
        except (*NOT_AS_LISTED, *DAMAGED_GZIP):  # a gzip was whole a moment ago
            return self._rejected(file, Reason.FILE_UNREADABLE)
        except HealthpipeError:
            raise
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            return self._rejected(file, Reason.FILE_UNREADABLE)
        return self._landed(file)

    def _landed(self, file: InputFile) -> InputFile:
        target = self._target(file)
        lines = land(self._reads.content(file.uri), target)
        return replace(file, landed=self._place.keep(target), landed_lines=lines)

    def _rejected(self, file: InputFile, reason: Reason) -> InputFile:
        target = self._target(file)
        land_rejected(target, reason)
        return replace(file, landed=self._place.keep(target), landed_lines=1)

    def _target(self, file: InputFile) -> Path:
        """The same for the same file, whatever is found beside it."""
        name = hashlib.sha256(f"{file.uri}\0{file.source}".encode(errors="surrogateescape"))
        return self._place.folder / f"{name.hexdigest()[:NAME_DIGITS]}.ndjson"


def _stream_name(stream: FoundFile) -> str:
    """What a stream is kept as: it is read once, while the manifest may be made anew."""
    return f"{hashlib.sha256(stream.uri.encode()).hexdigest()}.stream"


def _batches(files: Sequence[FoundFile]) -> Iterator[Sequence[FoundFile]]:
    batch: list[FoundFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.listed.size if file.listed else 0
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
