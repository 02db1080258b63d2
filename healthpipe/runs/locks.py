"""What holds the lock of a root: the kernel for a folder of this machine, else a lease.

The kernel gives a lock back when its holder dies; a lease is over when it was not renewed.

Whether a process is at work on a run, known even after kill -9.

One run of the workflow per root.

The lock saves work; what protects production is the conditional flip of the pointer alone.
"""

import fcntl
import json
import os
import random
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any, ClassVar

from filelock import FileLock, Timeout

from healthpipe.aws.session import AwsAccess
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import LockHeld, RunNotFound, ServiceFailed
from healthpipe.runs.record import utc_now
from healthpipe.storage.layout import RUN_ID, Root
from healthpipe.storage.lease import HeldLease, Lease, LeaseLost

# Whoever looks whether it is held may stand in the way for a moment.
LOCK_PATIENCE_S = 1
# How often, at most, a lease is asked for that somebody else holds.
POLL_S = 5.0
NOTED = ("holder", "pid", "host", "since")


class LockBackend(ABC):
    """A lock that this process holds for one holder, or does not."""

    @abstractmethod
    def acquire(self, holder: str, wait: float, *, is_shared: bool) -> bool:
        """Take it within so many seconds, if nobody else has it."""

    @abstractmethod
    def keep(self) -> bool:
        """Hold on to it; False where it was lost."""

    @abstractmethod
    def release(self) -> None:
        """Let others have it."""

    @abstractmethod
    def is_held(self) -> bool:
        """Whether anybody has it. Looking does not need the right to write."""

    @abstractmethod
    def noted(self) -> dict[str, Any]:
        """Who has it, or had it last, as it was written down."""


def lock_backend(root: Root) -> LockBackend:
    """That of a root; not held yet."""
    return _LeaseBackend(root) if root.is_remote else _FileBackend(root)


class _FileBackend(LockBackend):
    def __init__(self, root: Root) -> None:
        self._root = root
        self._path = Path(root.lock)
        self._lock = FileLock(self._path.resolve(), thread_local=False)

    def acquire(self, holder: str, wait: float, *, is_shared: bool) -> bool:  # noqa: ARG002
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=max(wait, LOCK_PATIENCE_S))
        except Timeout:
            return False
        who = (holder, os.getpid(), socket.gethostname(), utc_now())
        document = json.dumps(dict(zip(NOTED, who, strict=True)))
        with suppress(ServiceFailed):  # it only tells: the run has its own way to say what failed
            self._root.storage.write(self._root.lock_holder, document.encode())
        return True

    def keep(self) -> bool:
        return True

    def release(self) -> None:
        self._lock.release()

    def is_held(self) -> bool:
        if self._lock.is_locked:
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

    def noted(self) -> dict[str, Any]:
        found = self._root.storage.read(self._root.lock_holder)
        document: dict[str, Any] = json.loads(found[0]) if found else {}
        return document


class _LeaseBackend(LockBackend):
    def __init__(self, root: Root) -> None:
        self._lease = Lease(root.storage, root.lock_holder)
        self._tenure: HeldLease | None = None

    def acquire(self, holder: str, wait: float, *, is_shared: bool) -> bool:
        end = time.monotonic() + wait
        while True:
            self._tenure = self._lease.take(holder, is_shared=is_shared)
            left = end - time.monotonic()
            if self._tenure or left <= 0:
                return self._tenure is not None
            raise_if_cancelled()
            time.sleep(min(left, random.uniform(POLL_S / 2, POLL_S)))

    def keep(self) -> bool:
        try:
            if self._tenure:
                self._tenure.renew()
        except LeaseLost:
            self._tenure = self._tenure and self._tenure.taken_again()
        return self._tenure is not None

    def release(self) -> None:
        if self._tenure:
            self._tenure.give_back()
            self._tenure = None

    def is_held(self) -> bool:
        return self._lease.read() is not None

    def noted(self) -> dict[str, Any]:
        document = self._lease.noted()
        return {name: document[name] for name in NOTED if name in document}


NAME = ".alive"
# Whoever looks whether a run is dead holds its mark for a moment.
RUN_PATIENCE_S = 2
CLEARING_UP = "clearing up"


class RunLock(ABC):
    """The mark that a process works on a run.

    It is there from before the run's first record until after its last. One for each run in this
    process, which the steps of the run share.
    """

    _known: ClassVar[dict[str, "RunLock"]] = {}

    def __init__(self, root: Root, run_id: str) -> None:
        self._key = f"{root.absolute_uri}/{run_id}"
        self._uri = root.run(run_id)

    @classmethod
    def of(cls, root: Root, run_id: str) -> "RunLock":
        """That of a run."""
        kind = _LeaseRunLock if root.is_remote else _FileRunLock
        return cls._known.setdefault(f"{root.absolute_uri}/{run_id}", kind(root, run_id))

    def take(self) -> bool:
        """Mark the run as worked on by this process; whether it was not marked so already.

        Raises `LockHeld` if another process works on it.
        """
        if self._is_ours():
            return False
        if not self._take():
            raise LockHeld(f"another process works on {self._uri}", "wait for its end")
        return True

    def take_if_dead(self, *, is_certain: bool = False) -> bool:
        """Take the run over if a process worked on it and ended without a word.

        Who `is_certain` that only such a process can have worked on it need not wait to see.
        """
        return not self._is_ours() and self._take_if_dead(is_certain=is_certain)

    def give_back(self, *, is_over: bool = True) -> None:
        """Let go of the run; one that is not over looks dead from now on."""
        if self._is_ours():
            self._give_back(is_over=is_over)
        self._known.pop(self._key, None)

    @abstractmethod
    def _is_ours(self) -> bool: ...

    @abstractmethod
    def _take(self) -> bool: ...

    @abstractmethod
    def _take_if_dead(self, *, is_certain: bool) -> bool: ...

    @abstractmethod
    def _give_back(self, *, is_over: bool) -> None: ...


class _FileRunLock(RunLock):
    """A locked file in the run's folder: the kernel knows whether its process lives."""

    def __init__(self, root: Root, run_id: str) -> None:
        super().__init__(root, run_id)
        self._mark = Path(self._uri).resolve() / NAME
        self._lock = FileLock(self._mark, thread_local=False)

    def _is_ours(self) -> bool:
        return self._lock.is_locked

    def _take(self) -> bool:
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        return self._acquire(RUN_PATIENCE_S)

    def _take_if_dead(self, *, is_certain: bool) -> bool:  # noqa: ARG002
        return self._mark.exists() and self._acquire(0)

    def _give_back(self, *, is_over: bool) -> None:
        if is_over:
            self._mark.unlink(missing_ok=True)
        self._lock.release()

    def _acquire(self, patience: float) -> bool:
        try:
            self._lock.acquire(timeout=patience)
        except Timeout:
            return False
        return True


class _LeaseRunLock(RunLock):
    """A lease of the run's own, which is over some time after its process has died.

    It is shared: what keeps two processes from one run of the workflow is the lock of the root,
    and a stage that is run by hand has its id from its one process.
    """

    def __init__(self, root: Root, run_id: str) -> None:
        super().__init__(root, run_id)
        self._run_id = run_id
        self._lease = Lease(root.storage, f"{root.at_work}/{run_id}.json")
        self._tenure: HeldLease | None = None

    def _is_ours(self) -> bool:
        return self._tenure is not None

    def _take(self) -> bool:
        self._tenure = self._lease.take(self._run_id, is_shared=True)
        return self._is_ours()

    def _take_if_dead(self, *, is_certain: bool) -> bool:
        if self._lease.noted():
            self._tenure = self._lease.take(CLEARING_UP, is_certain=is_certain)
        return self._is_ours()

    def _give_back(self, *, is_over: bool) -> None:
        if self._tenure:
            self._tenure.give_back(remove=is_over)
        self._tenure = None


def marked_runs(root: Root) -> list[str]:
    """The ids of the runs that a process works on, or worked on when it died; the newest first."""
    if root.is_remote:
        names = [PurePath(file.uri).stem for file in root.storage.list(root.at_work)]
    else:
        folders = map(Path, root.storage.folders(root.runs))
        names = [folder.name for folder in folders if (folder / NAME).exists()]
    return sorted((name for name in names if RUN_ID.fullmatch(name)), reverse=True)


class RootLock:
    """The lock of a root. One for each root in this process, for the steps of a run share it."""

    _known: ClassVar[dict[tuple[str, AwsAccess], "RootLock"]] = {}

    def __init__(self, root: Root) -> None:
        self._root = root
        self._grip: LockBackend = lock_backend(root)
        self._holder: str | None = None

    @classmethod
    def of(cls, root: Root) -> "RootLock":
        """That of a root."""
        return cls._known.setdefault((root.absolute_uri, root.access), cls(root))

    def take(self, holder: str, wait: float = 0, *, is_shared: bool = False) -> None:
        """Take it for a holder, a run's id for instance; one that has it already keeps it.

        One that is shared may be kept by whatever process works for that holder. Raises
        `LockHeld`, which names who has it, after `wait` seconds; or where it was lost meanwhile.
        """
        if self._holder == holder and self._grip.keep():
            return
        if self._holder is not None or not self._grip.acquire(holder, wait, is_shared=is_shared):
            raise self._held()
        self._holder = holder

    def give_back(self, holder: str) -> None:
        """Give it back if the holder has it."""
        if self._holder == holder:
            self._holder = None
            self._grip.release()
            known = (self._root.absolute_uri, self._root.access)
            if self._known.get(known) is self:
                del self._known[known]

    def holder(self) -> dict[str, Any] | None:
        """Who has it now, as it was written down; None if nobody has."""
        return self._grip.noted() if self._holder or self._grip.is_held() else None

    def _held(self) -> LockHeld:
        noted = self._grip.noted()
        who = noted.get("holder", "another run")
        where = f"process {noted.get('pid')} on {noted.get('host')}, since {noted.get('since')}"
        return LockHeld(
            f"{who} is at work on {self._root.uri} ({where})",
            "wait for its end, or give --lock-wait SECONDS",
        )


@contextmanager
def root_locked(root: Root, holder: str, wait: float) -> Iterator[None]:
    """Hold the lock of a root for what is no run, while the block runs.

    Raises `LockHeld`, and `RunNotFound` where there is no root.
    """
    if not any(root.storage.folders(root.uri)):
        raise RunNotFound(f"there is nothing at {root.uri}", "give its --root")
    lock = RootLock.of(root)
    lock.take(holder, wait)
    try:
        yield
    finally:
        lock.give_back(holder)
