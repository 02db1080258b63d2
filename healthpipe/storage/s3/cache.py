"""Local copies of objects, kept under names that change with their content.

They hold records: only their owner reads them. A file carries its object's time of change, so one
that was written to afterwards is noticed, and its time of access tells when it was last wanted.
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

FOLDER, LIMIT = "HEALTHPIPE_CACHE", "HEALTHPIPE_CACHE_BYTES"
DEFAULT_LIMIT = 20 << 30
OWNER_ONLY, OWNER_ONLY_FOLDER = 0o600, 0o700
_USERS = ".users"
# An engine goes by these ends of a name.
_SUFFIXES = (".gz", ".zst", ".parquet", ".json", ".jsonl", ".ndjson", ".txt", ".csv")

Fetch = Callable[[Sequence[tuple[Version, Path]]], None]


def cache_folder() -> Path:
    """Where copies are kept: HEALTHPIPE_CACHE, else the user's folder for such things."""
    if named := os.environ.get(FOLDER):
        return Path(named).expanduser().resolve()
    if sys.platform == "darwin":
        usual = "~/Library/Caches"
    else:
        usual = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(usual).expanduser() / "healthpipe"
    except RuntimeError:  # nobody's home
        return Path(tempfile.gettempdir()) / f"healthpipe-{os.getuid()}"


def cache_limit() -> int:
    """How many bytes are kept when nobody uses them. Raises `UsageError`."""
    text = os.environ.get(LIMIT, str(DEFAULT_LIMIT))
    if not text.isdecimal():
        raise UsageError(f"{LIMIT} is no number of bytes", "give a whole number, such as 1000000")
    return int(text)


class Cache:
    """A folder of copies, for any number of processes at once.

    A copy that a live process has asked for stays, even beyond the limit.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit

    def paths(self, versions: Sequence[Version], fetch: Fetch) -> list[Path]:
        """The copies of versions of objects; `fetch` fills the empty files for what is missing.

        Raises `ServiceFailed` for a full disk.
        """
        with self._outside_failures():
            self._enter()
            wanted = {self._path(version): version for version in versions}
            missing = {path: v for path, v in wanted.items() if not _is_sound(path, v)}
            if missing:
                with self._temporary(len(missing)) as temporary:
                    fetch(list(zip(missing.values(), temporary, strict=True)))
                    for made, (path, version) in zip(temporary, missing.items(), strict=True):
                        os.utime(made, (time.time(), version.modified))
                        made.replace(path)  # not synced: a crash leaves a short one, if any
                self._evict(set(wanted))
        return [self._path(version) for version in versions]

    def _path(self, version: Version) -> Path:
        place = version.place
        identity = "\0".join([place.bucket, place.key, version.etag, str(version.size)])
        digest = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()
        suffixes = [end for end in Path(place.key).suffixes[-2:] if end.lower() in _SUFFIXES]
        return self._folder / f"{digest}{''.join(suffixes)}"

    def _enter(self) -> None:
        """Make the folder, and be one of its users for as long as this process lives."""
        self._folder.mkdir(OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid():
            raise UsageError(f"{self._folder} belongs to somebody else", f"set {FOLDER}")
        (self._folder / _USERS).mkdir(OWNER_ONLY_FOLDER, exist_ok=True)
        with _entering:
            handle = _uses.get(self._folder)
            if handle is not None and not os.fstat(handle).st_nlink:
                os.close(_uses.pop(self._folder))  # somebody removed the folder meanwhile
            if self._folder not in _uses:
                path = self._folder / _USERS / f"{TEMPORARY}{uuid.uuid4().hex}"
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY)
                fcntl.flock(handle, fcntl.LOCK_SH)
                path.rename(path.with_name(path.name.removeprefix(TEMPORARY)))
                _uses[self._folder] = handle

    @contextmanager
    def _temporary(self, count: int) -> Iterator[list[Path]]:
        paths = [self._folder / f"{TEMPORARY}{uuid.uuid4().hex}" for _ in range(count)]
        try:
            for path in paths:
                path.touch(OWNER_ONLY, exist_ok=False)
            yield paths
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    def _evict(self, wanted: set[Path]) -> None:
        """Remove what was wanted longest ago, beyond the limit, and what dead processes left."""
        since = self._first_use()
        files = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process has renamed it meanwhile
                    if entry.is_file():
                        files.append((entry.stat(), Path(entry.path)))
        total = sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda each: each[0].st_atime):
            is_left = path.name.startswith(TEMPORARY)
            if path in wanted or status.st_atime >= since or not (is_left or total > self._limit):
                continue
            path.unlink(missing_ok=True)
            total -= status.st_size

    def _first_use(self) -> float:
        """When the process began to use the folder that has used it longest of those alive."""
        since = time.time()
        for user in list((self._folder / _USERS).iterdir()):
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
    def _outside_failures(self) -> Iterator[None]:
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


# The files by which this process shows that it uses a folder, open until it ends.
_uses: dict[Path, int] = {}
_entering = threading.Lock()


def _is_sound(path: Path, version: Version) -> bool:
    """Whether a copy is there as it was made. One that is counts as used now."""
    try:
        status = path.stat()
        is_sound = status.st_size == version.size and status.st_mtime == version.modified
        if is_sound:
            os.utime(path, (time.time(), version.modified))
    except FileNotFoundError:
        return False
    return is_sound
