"""A lock that at most one process holds: a file that the kernel locks, or a lease.

The kernel releases a file lock when its process dies, even by kill -9; a lease expires when nobody
renewed it.
"""

import datetime
import fcntl
import json
import os
import socket
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

import filelock

from healthpipe import cancellation
from healthpipe.errors import ServiceFailed
from healthpipe.retry import Backoff
from healthpipe.storage.base import Storage
from healthpipe.storage.lease import Document, HeldLease, Lease, LeaseLost

# The longest pause between two tries to acquire a lease that somebody else holds.
POLL_S = 5.0
HOLDER_KEYS = ("holder", "pid", "host", "since")


class Lock(ABC):
    """A lock that at most one process at a time holds."""

    @property
    @abstractmethod
    def is_ours(self) -> bool:
        """Whether this process holds it."""

    @abstractmethod
    def acquire(self, holder: str, wait_s: float = 0, *, is_shared: bool = False) -> bool:
        """Acquire it for a holder within that time; False if somebody else holds it.

        A lease that `is_shared` may be taken over by another process of the same holder.
        """

    @abstractmethod
    def acquire_abandoned(self, holder: str, *, is_certain: bool) -> bool:
        """Acquire it at once if a process held it and died; whether that was so.

        A lease of a process on another machine counts as abandoned when it has expired; with
        `is_certain` also before.
        """

    @abstractmethod
    def renew(self) -> bool:
        """Keep holding it; False if it was lost."""

    @abstractmethod
    def release(self, *, delete: bool = False) -> None:
        """Release it; with `delete` remove its file or object as well."""

    @abstractmethod
    def is_held(self) -> bool:
        """Whether any process holds it. Does not need the right to write."""

    @abstractmethod
    def last_holder(self) -> Document:
        """The document about who holds it or held it last, with `HOLDER_KEYS`, or empty."""


class FileLock(Lock):
    """A lock that the kernel keeps on a file of this machine.

    Acquiring it takes at least `min_wait_s` seconds before it fails. The holder is written to the
    URI `document`, if there is one, for people.
    """

    def __init__(
        self, path: Path, min_wait_s: float, storage: Storage, document: str | None = None
    ) -> None:
        self._path = path.resolve()
        self._min_wait_s = min_wait_s
        self._storage = storage
        self._document = document
        self._file = filelock.FileLock(self._path, thread_local=False)

    @property
    def is_ours(self) -> bool:
        return self._file.is_locked

    def acquire(self, holder: str, wait_s: float = 0, *, is_shared: bool = False) -> bool:  # noqa: ARG002
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._acquire(max(wait_s, self._min_wait_s)):
            return False
        if self._document:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            who = (holder, os.getpid(), socket.gethostname(), now)
            content = json.dumps(dict(zip(HOLDER_KEYS, who, strict=True))).encode()
            with suppress(ServiceFailed):  # what fails is not the lock, and the run says it itself
                self._storage.write(self._document, content)
        return True

    def acquire_abandoned(self, holder: str, *, is_certain: bool) -> bool:  # noqa: ARG002
        return self._path.exists() and self._acquire(0)

    def renew(self) -> bool:
        return self.is_ours

    def release(self, *, delete: bool = False) -> None:
        if delete:  # before the release: the file of another process must not be removed
            self._path.unlink(missing_ok=True)
        self._file.release()

    def is_held(self) -> bool:
        if self.is_ours:
            return True
        try:
            handle = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def last_holder(self) -> Document:
        found = self._storage.read(self._document) if self._document else None
        document: Document = json.loads(found[0]) if found else {}
        return document

    def _acquire(self, timeout_s: float) -> bool:
        try:
            self._file.acquire(timeout=timeout_s)
        except filelock.Timeout:
            return False
        return True


class LeaseLock(Lock):
    """A lock that is a lease: an object that is written conditionally and renewed."""

    def __init__(self, storage: Storage, uri: str) -> None:
        self._lease = Lease(storage, uri)
        self._held: HeldLease | None = None

    @property
    def is_ours(self) -> bool:
        return self._held is not None

    def acquire(self, holder: str, wait_s: float = 0, *, is_shared: bool = False) -> bool:
        end = time.monotonic() + wait_s
        pauses = Backoff(POLL_S, POLL_S).pauses()
        while True:
            self._held = self._lease.acquire(holder, is_shared=is_shared)
            left = end - time.monotonic()
            if self._held or left <= 0:
                return self.is_ours
            cancellation.sleep(min(left, next(pauses)))

    def acquire_abandoned(self, holder: str, *, is_certain: bool) -> bool:
        if self._lease.last_document():
            self._held = self._lease.acquire(holder, is_certain=is_certain)
        return self.is_ours

    def renew(self) -> bool:
        try:
            if self._held:
                self._held.renew()
        except LeaseLost:
            self._held = self._held and self._held.reacquire()
        return self.is_ours

    def release(self, *, delete: bool = False) -> None:
        if self._held:
            self._held.release(delete=delete)
            self._held = None

    def is_held(self) -> bool:
        return self._lease.read() is not None

    def last_holder(self) -> Document:
        document = self._lease.last_document()
        return {name: document[name] for name in HOLDER_KEYS if name in document}
