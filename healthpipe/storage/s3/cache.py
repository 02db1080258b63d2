"""A cache of local copies of S3 objects, under names that change with their content.

The copies hold records: only their owner may read them. A copy's modification time is its
object's, so that one that was written to is noticed; its access time is when it was last used.
"""

import errno
import fcntl
import hashlib
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from healthpipe.errors import ServiceFailed, UsageError
from healthpipe.storage.base import TEMPORARY
from healthpipe.storage.s3.objects import Version
from healthpipe.storage.scratch import OWNER_ONLY, OWNER_ONLY_FOLDER

# The environment variables of the cache's folder and of its limit in bytes.
FOLDER, LIMIT = "HEALTHPIPE_CACHE", "HEALTHPIPE_CACHE_BYTES"
DEFAULT_LIMIT = 20 << 30
# The subfolder with a locked file for each process that uses the cache.
_USERS_FOLDER = ".users"
# The suffixes by which an engine knows what is in a file.
_SUFFIXES = (".gz", ".zst", ".parquet", ".json", ".jsonl", ".ndjson", ".txt", ".csv")

# Downloads versions of objects into empty files that exist.
Download = Callable[[Sequence[tuple[Version, Path]]], None]


def cache_folder() -> Path:
    """The folder of the cache: HEALTHPIPE_CACHE, else a subfolder of the user's cache folder."""
    if configured := os.environ.get(FOLDER):
        return Path(configured).expanduser().resolve()
    if sys.platform == "darwin":
        parent = "~/Library/Caches"
    else:
        parent = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(parent).expanduser() / "healthpipe"
    except RuntimeError:  # the user has no home directory
        return Path(tempfile.gettempdir()) / f"healthpipe-{os.getuid()}"


def cache_limit() -> int:
    """The size in bytes to which unused copies are evicted. Raises `UsageError`."""
    text = os.environ.get(LIMIT, str(DEFAULT_LIMIT))
    if not text.isdecimal():
        raise UsageError(f"{LIMIT} is no number of bytes", "give a whole number, such as 1000000")
    return int(text)


class Cache:
    """A folder of copies, used by any number of processes at once.

    A copy that a live process uses is not evicted, even beyond the limit.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit

    def paths(self, versions: Sequence[Version], download: Download) -> list[Path]:
        """The paths of copies of versions, in their order; `download` fetches the missing ones.

        Raises `ServiceFailed` for a full disk.
        """
        with self._os_errors_translated():
            self._register_use()
            wanted = {self._path(version): version for version in versions}
            missing = {path: v for path, v in wanted.items() if not _is_intact(path, v)}
            if missing:
                with self._temporary(len(missing)) as temporary:
                    download(list(zip(missing.values(), temporary, strict=True)))
                    for local, (path, version) in zip(temporary, missing.items(), strict=True):
                        os.utime(local, (time.time(), version.modified))
                        local.replace(path)  # not synced: a crash leaves a short file, if any
                self._evict(set(wanted))
        return [self._path(version) for version in versions]

    def _path(self, version: Version) -> Path:
        """The path of the copy of a version, with the suffixes of its key."""
        source = version.source
        identity = "\0".join([source.bucket, source.key, version.etag, str(version.size)])
        digest = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()
        suffixes = [end for end in Path(source.key).suffixes[-2:] if end.lower() in _SUFFIXES]
        return self._folder / f"{digest}{''.join(suffixes)}"

    def _register_use(self) -> None:
        """Create the folder, and register this process as a user of it until it ends."""
        self._folder.mkdir(OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid():
            raise UsageError(f"{self._folder} belongs to somebody else", f"set {FOLDER}")
        (self._folder / _USERS_FOLDER).mkdir(OWNER_ONLY_FOLDER, exist_ok=True)
        with _registering:
            handle = _use_handles.get(self._folder)
            if handle is not None and not os.fstat(handle).st_nlink:
                os.close(_use_handles.pop(self._folder))  # somebody removed the folder meanwhile
            if self._folder not in _use_handles:
                path = self._folder / _USERS_FOLDER / f"{TEMPORARY}{uuid.uuid4().hex}"
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY)
                fcntl.flock(handle, fcntl.LOCK_SH)
                path.rename(path.with_name(path.name.removeprefix(TEMPORARY)))
                _use_handles[self._folder] = handle

    @contextmanager
    def _temporary(self, count: int) -> Iterator[list[Path]]:
        """Empty temporary files, removed at the end unless they were renamed."""
        paths = [self._folder / f"{TEMPORARY}{uuid.uuid4().hex}" for _ in range(count)]
        try:
            for path in paths:
                path.touch(OWNER_ONLY, exist_ok=False)
            yield paths
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    def _evict(self, wanted: set[Path]) -> None:
        """Delete the least recently used copies beyond the limit, and what dead processes left."""
        since = self._oldest_use()
        files = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process has renamed it meanwhile
                    if entry.is_file():
                        files.append((entry.stat(), Path(entry.path)))
        total = sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda each: each[0].st_atime):
            is_leftover = path.name.startswith(TEMPORARY)
            is_evictable = is_leftover or total > self._limit
            if path in wanted or status.st_atime >= since or not is_evictable:
                continue
            path.unlink(missing_ok=True)
            total -= status.st_size

    def _oldest_use(self) -> float:
        """When the oldest live user of the folder began to use it, in seconds since 1970."""
        since = time.time()
        for user in list((self._folder / _USERS_FOLDER).iterdir()):
            with suppress(FileNotFoundError), user.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    since = min(since, user.stat().st_mtime)
                    continue
                if not user.name.startswith(TEMPORARY):
                    user.unlink(missing_ok=True)
        return since

    @contextmanager
    def _os_errors_translated(self) -> Iterator[None]:
        """Translate an `OSError` of the block to `ServiceFailed`."""
        try:
            yield
        except (ServiceFailed, UsageError):
            raise
        except OSError as error:
            what = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)
            raise ServiceFailed(
                f"cannot keep copies in {self._folder}: {what}",
                f"free space or set {FOLDER}, then run again",
            ) from error


# The locked files that register this process as a user of a folder, open until it ends.
_use_handles: dict[Path, int] = {}
_registering = threading.Lock()


def _is_intact(path: Path, version: Version) -> bool:
    """Whether a copy exists and was not changed; if so, mark it as used now."""
    try:
        status = path.stat()
        is_intact = status.st_size == version.size and status.st_mtime == version.modified
        if is_intact:
            os.utime(path, (time.time(), version.modified))
    except FileNotFoundError:
        return False
    return is_intact
