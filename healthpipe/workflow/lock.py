"""One run of the workflow per root: a lock that the kernel gives back when its holder dies.

It saves work; what protects production is the conditional flip of the pointer alone.
"""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout

from healthpipe.errors import LockHeld, RunNotFound, ServiceFailed
from healthpipe.storage.layout import Root
from healthpipe.workflow.record import utc_now

# Whoever looks whether it is held may stand in the way for a moment.
PATIENCE_S = 1


class RootLock:
    """The lock of a root. One for each root in this process, for the steps of a run share it."""

    _known: ClassVar[dict[Path, "RootLock"]] = {}

    def __init__(self, root: Root) -> None:
        self._root = root
        self._path = Path(root.lock)
        self._lock = FileLock(self._path.resolve(), thread_local=False)
        self._holder: str | None = None

    @classmethod
    def of(cls, root: Root) -> "RootLock":
        """That of a root."""
        return cls._known.setdefault(Path(root.lock).resolve(), cls(root))

    def take(self, holder: str, wait: float = 0) -> None:
        """Take it for a holder, a run's id for instance, unless that one has it already.

        Raises `LockHeld`, which names who has it, after `wait` seconds.
        """
        if self._holder == holder:
            return
        if self._holder is not None:
            raise self._held()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=max(wait, PATIENCE_S))
        except Timeout:
            raise self._held() from None
        self._holder = holder
        document = {
            "holder": holder,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": utc_now(),
        }
        with suppress(ServiceFailed):  # it only tells: the run has its own way to say what failed
            self._root.storage.write(self._root.lock_holder, json.dumps(document).encode())

    def give_back(self, holder: str) -> None:
        """Give it back if the holder has it."""
        if self._holder == holder:
            self._holder = None
            self._lock.release()
            self._known.pop(self._path.resolve(), None)

    def holder(self) -> dict[str, Any] | None:
        """Who has it now, as it was written down; None if nobody has."""
        return self._noted() if self._holder or self._is_held_elsewhere() else None

    def _is_held_elsewhere(self) -> bool:
        """Whether another process has it. Looking does not need the right to write."""
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

    def _noted(self) -> dict[str, Any]:
        found = self._root.storage.read(self._root.lock_holder)
        document: dict[str, Any] = json.loads(found[0]) if found else {}
        return document

    def _held(self) -> LockHeld:
        noted = self._noted()
        who = noted.get("holder", "another run")
        where = f"process {noted.get('pid')} on {noted.get('host')}, since {noted.get('since')}"
        return LockHeld(
            f"{who} is at work on {self._root.uri} ({where})",
            "wait for its end, or give --lock-wait SECONDS",
        )


@contextmanager
def held(root: Root, holder: str, wait: float) -> Iterator[None]:
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
