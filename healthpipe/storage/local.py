"""Files of this machine.

Files that hold what was rejected: only their owner may read them.

Folders of this machine for what a run keeps only while it is at work, where its root is not.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from healthpipe.errors import ServiceFailed
from healthpipe.storage.base import TEMPORARY, PreconditionFailed, Progress, Storage, StoredFile

CHUNK_BYTES = 1 << 20


class LocalStorage(Storage):
    """Atomic by rename within a file system, durable by fsync of the file and its folder."""

    def list(self, folder: str) -> Iterator[StoredFile]:
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                found = self.stat(os.path.join(parent, name))  # noqa: PTH118 - keeps the URI a text
                if found:
                    yield found

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
        found = self.stat(uri)
        return time.time() - found.modified if found else None

    def open(self, uri: str) -> AbstractContextManager[BinaryIO]:
        return Path(uri).open("rb")

    def read(self, uri: str) -> tuple[bytes, str] | None:
        try:
            content = Path(uri).read_bytes()
        except FileNotFoundError:
            return None
        return content, _etag(content)

    def write(self, uri: str, content: bytes) -> None:
        with _written_beside(uri) as temporary:
            temporary.write_bytes(content)
            self.deliver(temporary, uri)

    def put_if(self, uri: str, content: bytes, etag: str | None) -> str:
        with _outside_failures(uri):
            Path(uri).parent.mkdir(parents=True, exist_ok=True)
        with _locked(Path(uri).parent):
            present = self.read(uri)
            if (present[1] if present else None) != etag:
                raise PreconditionFailed(uri)
            self.write(uri, content)
        return _etag(content)

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
        with _outside_failures(uri):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and not target.is_file():  # a device or a pipe takes the bytes
                with target.open("wb") as writer:
                    _stream(local, writer)
                local.unlink()
                return
            if local.stat().st_dev != target.parent.stat().st_dev:
                with _written_beside(uri) as temporary:
                    temporary.touch(local.stat().st_mode, exist_ok=False)
                    with temporary.open("r+b") as writer:
                        _stream(local, writer)
                    self.deliver(temporary, uri)
                local.unlink()
                return
            _fsync(local)
            local.replace(target)
            _fsync(target.parent)

    def deliver_folder(self, local: Path, uri: str) -> None:
        target = Path(uri).resolve()
        with _written_beside(uri) as new, _written_beside(uri) as old:
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
        with _written_beside(target) as temporary:
            with Path(source).open("rb") as reader, temporary.open("xb") as writer:
                while chunk := reader.read(CHUNK_BYTES):
                    digest.update(chunk)
                    writer.write(chunk)
            self.deliver(temporary, target)
        return digest.hexdigest()

    def sha256(self, uri: str) -> str:
        with Path(uri).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def delete(self, uri: str) -> None:
        with _outside_failures(uri, "remove"), suppress(NotADirectoryError):
            Path(uri).unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def withdraw(self, folder: str) -> None:
        gone = Path(folder).with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        with _outside_failures(folder, "remove"):
            try:
                Path(folder).rename(gone)
            except FileNotFoundError:
                return
            _fsync(gone.parent)
            shutil.rmtree(gone)

    def delete_temporary(self, folder: str, idle_s: float = 0) -> None:
        until = time.time() - idle_s
        for path in list(Path(folder).rglob(f"{TEMPORARY}*")):
            found = self.stat(str(path))
            if found is None or found.modified > until:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _written_beside(uri: str) -> Iterator[Path]:
    """A name beside `uri`, in its file system, to write to; nothing is left under it."""
    target = Path(uri).resolve()
    temporary = target.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    with _outside_failures(uri):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            temporary.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder itself while the block runs: no file is left behind, whatever happens."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _stream(local: Path, writer: BinaryIO) -> None:
    with local.open("rb") as reader:
        shutil.copyfileobj(reader, writer, CHUNK_BYTES)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _outside_failures(uri: str, verb: str = "write") -> Iterator[None]:
    try:
        yield
    except ServiceFailed:
        raise
    except OSError as error:
        what = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)
        raise ServiceFailed(
            f"cannot {verb} {uri}: {what}", "free space or mend permissions, then run again"
        ) from error


OWNER_ONLY = 0o600


def make_private(path: Path) -> Path:
    """Make an empty file that only its owner reads and writes, before anything is in it."""
    path.unlink(missing_ok=True)
    path.touch(OWNER_ONLY, exist_ok=False)
    return path


NAME_DIGITS = 24


def scratch_for(uri: str) -> Path:
    """The folder for what lies at a URI elsewhere: the same in each process of this user."""
    name = hashlib.sha256(uri.encode()).hexdigest()[:NAME_DIGITS]
    return _own_folder() / name


def make_scratch(folder: Path) -> None:
    """Make such a folder, which only this user can read. Raises `ServiceFailed`."""
    own = _own_folder()
    own.mkdir(mode=0o700, exist_ok=True)
    status = own.lstat()
    # Anybody can make a folder of that name, or a link, before we do.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ServiceFailed(
            f"{own} is not this user's alone", "remove it, or set TMPDIR to another folder"
        )
    folder.mkdir(exist_ok=True)


def _own_folder() -> Path:
    return Path(tempfile.gettempdir(), f"healthpipe-{os.getuid()}")
