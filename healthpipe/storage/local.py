"""Storage on the file systems of this machine: atomic by rename, durable by fsync."""

import errno
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from healthpipe.errors import ServiceFailed
from healthpipe.storage.base import (
    TEMPORARY,
    PreconditionFailed,
    Progress,
    Storage,
    StoredChecksum,
    StoredFile,
)

CHUNK_BYTES = 1 << 20


class LocalStorage(Storage):
    """Atomic by rename within a file system, durable by fsync of the file and its folder."""

    def list(self, folder: str) -> Iterator[StoredFile]:
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                file = self.stat(os.path.join(parent, name))  # noqa: PTH118 - keeps the URI a text
                if file:
                    yield file

    def folders(self, folder: str) -> Iterator[str]:
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in sorted(names):
            yield f"{folder}/{name}"

    def stat(self, uri: str) -> StoredFile | None:
        try:
            status = Path(uri).stat()
        except OSError:
            return None
        version = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"
        return StoredFile(uri, status.st_size, version, status.st_mtime)

    def age(self, uri: str) -> float | None:
        file = self.stat(uri)
        return time.time() - file.modified if file else None

    def open(self, uri: str) -> AbstractContextManager[BinaryIO]:
        return Path(uri).open("rb")

    def read(self, uri: str) -> tuple[bytes, str] | None:
        try:
            content = Path(uri).read_bytes()
        except FileNotFoundError:
            return None
        return content, _etag(content)

    def write(self, uri: str, content: bytes) -> None:
        with _folder_locked(uri, fcntl.LOCK_SH):
            self._replace(uri, content)

    def put_if(self, uri: str, content: bytes, etag: str | None) -> str:
        with _folder_locked(uri, fcntl.LOCK_EX):
            current = self.read(uri)
            if (current[1] if current else None) != etag:
                raise PreconditionFailed(uri)
            self._replace(uri, content)
        return _etag(content)

    def _replace(self, uri: str, content: bytes) -> None:
        with _temporary_beside(uri) as temporary:
            temporary.write_bytes(content)
            self.deliver(temporary, uri)

    def local_copy(self, uri: str) -> Path:
        return Path(uri)

    def local_copies(
        self,
        uris: Sequence[str],
        progress: Progress | None = None,  # noqa: ARG002 - nothing is fetched
    ) -> Sequence[Path]:
        return [Path(uri) for uri in uris]

    def deliver(self, local: Path, uri: str) -> None:
        target = Path(uri).resolve()
        with _os_errors_translated(uri):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and not target.is_file():  # a device or a pipe takes the bytes
                with target.open("wb") as writer:
                    _copy_bytes(local, writer)
                local.unlink()
                return
            if local.stat().st_dev != target.parent.stat().st_dev:
                with _temporary_beside(uri) as temporary:
                    temporary.touch(local.stat().st_mode, exist_ok=False)
                    with temporary.open("r+b") as writer:
                        _copy_bytes(local, writer)
                    self.deliver(temporary, uri)
                local.unlink()
                return
            _fsync(local)
            local.replace(target)
            _fsync(target.parent)

    def deliver_folder(self, local: Path, uri: str) -> None:
        target = Path(uri).resolve()
        with _temporary_beside(uri) as new, _temporary_beside(uri) as old:
            new.mkdir()
            for path in sorted(local.iterdir()):
                self.deliver(path, str(new / path.name))
            if target.exists():
                target.rename(old)
            try:
                new.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
            _fsync(target.parent)
        local.rmdir()

    def copy(self, source: str, target: str) -> str:
        digest = hashlib.sha256()
        with _temporary_beside(target) as temporary:
            with Path(source).open("rb") as reader, temporary.open("xb") as writer:
                while chunk := reader.read(CHUNK_BYTES):
                    digest.update(chunk)
                    writer.write(chunk)
            self.deliver(temporary, target)
        return digest.hexdigest()

    def sha256(self, uri: str) -> str:
        with Path(uri).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def checksum(self, uri: str) -> StoredChecksum | None:
        file = self.stat(uri)
        return StoredChecksum(file.size, self.sha256(uri)) if file else None

    def delete(self, uri: str) -> None:
        with _os_errors_translated(uri, "remove"), suppress(NotADirectoryError):
            Path(uri).unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def remove_atomically(self, folder: str) -> None:
        renamed = Path(folder).with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        with _os_errors_translated(folder, "remove"):
            try:
                Path(folder).rename(renamed)
            except FileNotFoundError:
                return
            _fsync(renamed.parent)
            shutil.rmtree(renamed)

    def delete_temporary(self, folder: str, idle_s: float = 0) -> None:
        for path in list(Path(folder).rglob(f"{TEMPORARY}*")):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif not idle_s:
                path.unlink(missing_ok=True)
            elif path.exists():  # it may have gone with its folder, which a lock would make anew
                with suppress(OSError), _folder_locked(str(path), fcntl.LOCK_EX | fcntl.LOCK_NB):
                    path.unlink(missing_ok=True)


def _etag(content: bytes) -> str:
    """The ETag of a local file: the SHA-256 of its content."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _temporary_beside(uri: str) -> Iterator[Path]:
    """A temporary path in the folder of `uri`, removed at the end; the folder is made."""
    target = Path(uri).resolve()
    temporary = target.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    with _os_errors_translated(uri):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            temporary.unlink(missing_ok=True)


@contextmanager
def _folder_locked(uri: str, lock: int) -> Iterator[None]:
    """Hold a lock on the folder of `uri` itself, which is made, and leaves no file behind.

    Who writes a document holds one: without it a temporary file there is a dead writer's.
    """
    folder = Path(uri).resolve().parent
    with _os_errors_translated(uri):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, lock)
        yield
    finally:
        os.close(handle)


def _copy_bytes(local: Path, writer: BinaryIO) -> None:
    """Write the content of a file to `writer`."""
    with local.open("rb") as reader:
        shutil.copyfileobj(reader, writer, CHUNK_BYTES)


def _fsync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _os_errors_translated(uri: str, verb: str = "write") -> Iterator[None]:
    """Translate an `OSError` of the block to `ServiceFailed`; `verb` says what was tried."""
    try:
        yield
    except ServiceFailed:
        raise
    except OSError as error:
        what = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)
        raise ServiceFailed(
            f"cannot {verb} {uri}: {what}", "free space or fix permissions, then run again"
        ) from error
