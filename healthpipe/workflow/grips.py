"""What holds the lock of a root: the kernel for a folder of this machine, else a lease.

The kernel gives a lock back when its holder dies; a lease is over when it was not renewed.
"""

import fcntl
import json
import os
import random
import socket
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from healthpipe.cancellation import raise_if_stopping
from healthpipe.errors import ServiceFailed
from healthpipe.runs.record import utc_now
from healthpipe.storage.layout import Root
from healthpipe.storage.lease import Lease, Lost, Tenure

# Whoever looks whether it is held may stand in the way for a moment.
PATIENCE_S = 1
# How often, at most, a lease is asked for that somebody else holds.
POLL_S = 5.0
NOTED = ("holder", "pid", "host", "since")


class Grip(ABC):
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


def grip_of(root: Root) -> Grip:
    """That of a root; not held yet."""
    return _LeaseGrip(root) if root.is_remote else _KernelGrip(root)


class _KernelGrip(Grip):
    def __init__(self, root: Root) -> None:
        self._root = root
        self._path = Path(root.lock)
        self._lock = FileLock(self._path.resolve(), thread_local=False)

    def acquire(self, holder: str, wait: float, *, is_shared: bool) -> bool:  # noqa: ARG002
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=max(wait, PATIENCE_S))
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


class _LeaseGrip(Grip):
    def __init__(self, root: Root) -> None:
        self._lease = Lease(root.storage, root.lock_holder)
        self._tenure: Tenure | None = None

    def acquire(self, holder: str, wait: float, *, is_shared: bool) -> bool:
        end = time.monotonic() + wait
        while True:
            self._tenure = self._lease.take(holder, is_shared=is_shared)
            left = end - time.monotonic()
            if self._tenure or left <= 0:
                return self._tenure is not None
            raise_if_stopping()
            time.sleep(min(left, random.uniform(POLL_S / 2, POLL_S)))

    def keep(self) -> bool:
        try:
            if self._tenure:
                self._tenure.renew()
        except Lost:
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
