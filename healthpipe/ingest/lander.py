"""Ingest input files: detect their shape by content, and land those that no engine reads as is.

To land a file is to rewrite it as newline-delimited lines in the run's own folder.
"""

import errno
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.contract import Reason
from healthpipe.errors import (
    HealthpipeError,
    InputChanged,
    ObjectDenied,
    ObjectMissing,
    OutOfTime,
)
from healthpipe.ingest.content import Content, begins_as_json
from healthpipe.ingest.formats import Shape
from healthpipe.ingest.known_files import (
    KnownFiles,
    as_found,
    by_identity,
    date_in_archive,
    unopened,
)
from healthpipe.ingest.landing import (
    REWRITTEN,
    LandingFolder,
    is_container,
    land,
    land_container,
    land_rejected,
    large_line_files,
)
from healthpipe.ingest.manifest import (
    ARCHIVE_SUFFIX,
    PACKED_SUFFIXES,
    FoundFile,
    FoundFiles,
    InputFile,
    Manifest,
    SkippedFile,
    version_without_target,
)
from healthpipe.ingest.packing import FileRefused
from healthpipe.ingest.readers import FileReader, spool
from healthpipe.storage import absolute_uri, is_s3
from healthpipe.storage.local import LocalStorage

if TYPE_CHECKING:
    from healthpipe.ingest.archives import Archive

NAME_DIGITS = 24
# Errors of writing: the file that is read is not to blame.
WRITE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
# A file rejected for one of these is read anew by the next run, even if it has not changed.
READ_ANEW = (Reason.FILE_UNREADABLE, Reason.FILE_TOO_LARGE_UNPACKED)
# Errors for a file on S3 that may not be read, or has changed since it was listed: then the run
# lists all files again.
LOST_ON_S3 = (ObjectDenied, ObjectMissing, InputChanged)
# A batch of files is ingested before the next one is fetched.
BATCH_FILES, BATCH_BYTES = 1_000, 1 << 30


class IngestPaused(OutOfTime):
    """The time is up; `files` are those that were ingested."""

    def __init__(self, files: Iterable[InputFile]) -> None:
        super().__init__()
        self.files = tuple(files)


class Lander:
    """Decides for each file whether it is read in place, and lands those that are not."""

    def __init__(self, folder: LandingFolder, reader: FileReader) -> None:
        self._folder = folder
        self._reader = reader
        # Bytes of the batches that are done, of the present one, and of all files.
        self._fetched = self._fetching = self._to_fetch = 0

    def progress(self) -> float | None:
        """The share of the bytes to fetch that were fetched, from 0 to 1. Any thread."""
        if not self._to_fetch:
            return None
        return min(1.0, (self._fetched + self._fetching) / self._to_fetch)

    def ingest(self, found: FoundFiles, known: Iterable[InputFile] = ()) -> Manifest:
        """Ingest files that were just found; returns their manifest.

        Standard input and pipes are kept in the run. Files that are `known` from an earlier call
        are not ingested again unless they changed or could not be read. Raises `IngestPaused` when
        the time is up.
        """
        known_files = by_identity(known)
        for file in found.files:
            # Here and not in a thread: reading may wait for ever, and a signal has to end it.
            if file.is_stream and not self._folder.stat(_stream_name(file)):
                spool(file.uri, self._folder.folder / _stream_name(file))
                self._folder.deliver(self._folder.folder / _stream_name(file))
        self._to_fetch = sum(file.listed.size for file in found.files if file.listed)
        ingested: list[InputFile] = []
        for batch in _batches(found.files):
            self._ingest_batch(batch, known_files, ingested)
        in_archives = (skipped for file in ingested for skipped in file.skipped_members)
        return Manifest(tuple(_distinctly_named(ingested)), (*found.skipped, *in_archives))

    def land(self, manifest: Manifest, uris: Iterable[str]) -> Manifest:
        """Land those of a manifest's files that are read in place; returns the new manifest.

        One that was not opened, because a segment had its lines, is ingested instead.
        """
        wanted, files = frozenset(uris), list[InputFile]()
        reopened: set[str] = set()
        for file in manifest.files:
            if file.uri not in wanted or (file.landed and not file.is_reused):
                files.append(file)
            elif not file.is_reused:
                files.append(self._land_in_place(file))
            elif file.uri not in reopened:  # of an archive all members at once
                reopened.add(file.uri)
                files += self._inspect(unopened(file))
        return replace(manifest, files=tuple(files))

    def _ingest_batch(
        self,
        batch: Sequence[FoundFile],
        known: KnownFiles,
        ingested: list[InputFile],
    ) -> None:
        """Ingest the files of a batch, and append them in their order to `ingested`."""
        wanted = [
            file.uri
            for file in batch
            if file.listed and (absolute_uri(file.uri), file.listed.version) not in known
        ]
        try:
            with suppress(*LOST_ON_S3):  # reported for each file below
                self._reader.fetch(wanted, self._report_fetched)
        except OutOfTime:
            raise IngestPaused(ingested) from None
        with ThreadPoolExecutor(self._reader.threads) as pool:
            # Each in the context of this thread, for the deadline of its work.
            calls = [pool.submit(copy_context().run, self._ingest, file, known) for file in batch]
        if any(isinstance(call.exception(), OutOfTime) for call in calls):
            done = [file for call in calls if not call.exception() for file in call.result()]
            raise IngestPaused([*ingested, *done])
        ingested.extend(file for call in calls for file in call.result())
        self._fetched += sum(file.listed.size for file in batch if file.listed)
        self._fetching = 0

    def _report_fetched(self, done: int, _: int) -> None:
        self._fetching = done

    def _ingest(self, found: FoundFile, known: KnownFiles) -> list[InputFile]:
        """Ingest a file; one that is known and has not changed is returned as it is.

        Of an archive its members are returned.
        """
        raise_if_cancelled()
        date = found.folder_date.isoformat() if found.folder_date else None
        if found.is_stream:
            kept = self._folder.stat(_stream_name(found))
            uri, size = (kept.uri, kept.size) if kept else (found.uri, 0)
            return self._inspect(InputFile(uri, found.source, size, "", "none", date))
        stored = found.listed or LocalStorage().stat(found.uri)
        size, version = (stored.size, stored.version) if stored else (0, _version_of_lost(found))
        known_files = known.get((absolute_uri(found.uri), version))
        # The version of a file does not change with who may read it.
        if known_files and (is_s3(found.uri) or os.access(found.uri, os.R_OK)):
            return [as_found(file, found) for file in known_files]
        return self._inspect(InputFile(found.uri, found.source, size, version, "none", date))

    def _inspect(self, file: InputFile) -> list[InputFile]:
        """Tell what a file is by its content, and land it if need be."""
        try:
            content = self._reader.content(file.uri)
            if not self._is_archive(content):
                return [self._inspect_content(file, content)]
            from healthpipe.ingest.archives import open_archive

            try:
                with open_archive(content) as archive:
                    return self._inspect_members(file, content, archive)
            except FileRefused as refused:
                return [self._reject(file, refused.reason, content, refused.detail)]
        except LOST_ON_S3:
            return [self._reject(file, Reason.FILE_UNREADABLE)]
        except HealthpipeError:
            raise
        except OSError as error:
            if error.errno in WRITE_ERRNOS:
                raise
            return [self._reject(file, Reason.FILE_UNREADABLE)]

    @staticmethod
    def _is_archive(content: Content) -> bool:
        try:
            return content.is_archive
        except FileRefused:
            return False

    def _inspect_members(
        self, file: InputFile, content: Content, archive: "Archive"
    ) -> list[InputFile]:
        """Land the members of an archive, each as a file of its own."""
        file = replace(
            file, compression="+".join((*content.packing, "zip")), archive_date=file.folder_date
        )
        skipped = tuple(
            SkippedFile(f"{file.uri}!{name}", f"{file.source}!{name}", reason)
            for name, reason in archive.skipped
        )
        found: list[InputFile] = []
        for member in archive.members:
            raise_if_cancelled()
            own = replace(
                file,
                source=f"{file.source}!{member.name}",
                member=member.name,
                folder_date=date_in_archive(member.name, file.folder_date),
                skipped_members=() if found else skipped,
            )
            if member.refusal:
                found.append(self._reject(own, member.refusal))
            else:
                found.append(self._inspect_content(own, member.content))
        return [replace(each, archive_members=len(found)) for each in found]

    def _inspect_content(self, file: InputFile, content: Content) -> InputFile:
        """Tell the packing and the shape of a file by its content, and land it if need be."""
        try:
            _require_readable(file, content)
            outer = (file.compression,) if file.member else ()
            file = replace(file, compression="+".join((*outer, *content.packing)) or "none")
            is_in_place = file.member is None and self._reader.is_in_place(file.uri, content)
            if is_in_place:
                content.require_whole()
            if is_container(content):
                target = self._target(file)
                if landed := land_container(content, target):
                    shape, lines = landed
                    return self._landed(replace(file, shape=shape, landed_lines=lines), target)
                _refuse_comments(content)
            return file if is_in_place else self._land(file, content)
        except FileRefused as refused:
            return self._reject(file, refused.reason, content, refused.detail)

    def _land(self, file: InputFile, content: Content) -> InputFile:
        """Rewrite the lines of a file. Raises `FileRefused`."""
        target = self._target(file)
        lines = land(content, target)
        return self._landed(replace(file, landed_lines=lines), target)

    def _landed(self, file: InputFile, target: Path) -> InputFile:
        """The file with its landed one delivered from `target`."""
        has_large_lines = bool(large_line_files(target))
        uri = self._folder.deliver(target)
        return replace(file, landed=uri, has_large_lines=has_large_lines)

    def _land_in_place(self, file: InputFile) -> InputFile:
        """Rewrite the lines of a file that was read in place."""
        content = self._reader.content(file.uri)
        try:
            return self._land(file, content)
        except FileRefused as refused:
            return self._reject(file, refused.reason, content, refused.detail)

    def _reject(
        self,
        file: InputFile,
        reason: Reason,
        content: Content | None = None,
        detail: str = "",
    ) -> InputFile:
        """Reject a whole file, which counts as one line."""
        target = self._target(file)
        land_rejected(target, reason)
        landed = self._folder.deliver(target)
        return replace(
            file,
            landed=landed,
            landed_lines=1,
            shape=Shape.BROKEN if reason is Reason.FILE_NOT_JSON else Shape.LINES,
            is_unreadable=reason in READ_ANEW,
            refusal=reason,
            refusal_detail=detail,
            apparent_records=_apparent_records(content),
        )

    def _target(self, file: InputFile) -> Path:
        """The local path of a landed file: the same for the same file, whatever else is found."""
        name = hashlib.sha256(f"{file.uri}\0{file.source}".encode(errors="surrogateescape"))
        return self._folder.folder / f"{name.hexdigest()[:NAME_DIGITS]}{REWRITTEN}"


def _distinctly_named(files: Iterable[InputFile]) -> Iterator[InputFile]:
    """Number the names that come again: a file may be named as a member of an archive is."""
    seen: set[str] = set()
    for file in files:
        names = (f"{file.source}#{number}" for number in itertools.count(2))
        name = next(each for each in itertools.chain([file.source], names) if each not in seen)
        seen.add(name)
        yield file if name == file.source else replace(file, source=name)


def _require_readable(file: InputFile, content: Content) -> None:
    """Raise `FileRefused` where the first bytes of a file show that it holds no JSON."""
    head = content.head
    must_hold_something = file.source.lower().endswith((*PACKED_SUFFIXES, ARCHIVE_SUFFIX))
    if not head and not content.packing and must_hold_something:
        raise FileRefused(Reason.FILE_TRUNCATED)
    if not begins_as_json(head):
        if content.is_archive:  # in an archive
            raise FileRefused(Reason.FILE_ZIP)
        from healthpipe.ingest.detection import refusal_of

        if reason := refusal_of(content):
            content.require_whole()
            raise FileRefused(reason)


def _refuse_comments(content: Content) -> None:
    from healthpipe.ingest.detection import has_comments

    if has_comments(content.text_head):
        content.require_whole()
        raise FileRefused(Reason.FILE_JSONC)


def _apparent_records(content: Content | None) -> int:
    if content is None:
        return 1
    from healthpipe.ingest.detection import apparent_records

    return apparent_records(content)


def _version_of_lost(found: FoundFile) -> str:
    """The version of a file that is not there any more, or of a link that leads nowhere."""
    return version_without_target(found.uri) or "gone"


def _stream_name(stream: FoundFile) -> str:
    """The name under which a stream is kept: it is read once, but may be ingested again."""
    return f"{hashlib.sha256(stream.uri.encode()).hexdigest()}.stream"


def _batches(files: Sequence[FoundFile]) -> Iterator[Sequence[FoundFile]]:
    """The files in batches of at most `BATCH_FILES` files and about `BATCH_BYTES` bytes."""
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
