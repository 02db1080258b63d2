"""The locks of a root and of its runs.

The lock of a root admits one run of the workflow at a time. It saves work; what protects production
is the conditional flip of the pointer alone. The lock of a run tells a run that a process works on
from one whose process has died without a word.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import ClassVar

from healthpipe.aws.session import AwsAccess
from healthpipe.errors import LockHeld, RunNotFound
from healthpipe.storage.layout import RUN_ID, Root
from healthpipe.storage.lease import Document
from healthpipe.storage.lock import FileLock, LeaseLock, Lock

RUN_LOCK_FILE = ".alive"
# A process that only looks whether a file is locked locks it for a moment: wait that out.
ROOT_FILE_WAIT_S = 1
RUN_FILE_WAIT_S = 2
# The holder of a dead run's lease while its record is closed and its leftovers are removed.
CLEARING_UP = "clearing up"


class RootLock:
    """The lock of a root, held for a run's id or a command; one object a root in this process."""

    _in_process: ClassVar[dict[tuple[str, AwsAccess], "RootLock"]] = {}

    def __init__(self, root: Root) -> None:
        self._root = root
        self._lock: Lock = (
            LeaseLock(root.storage, root.lock_holder)
            if root.is_remote
            else FileLock(Path(root.lock), ROOT_FILE_WAIT_S, root.storage, root.lock_holder)
        )
        self._holder: str | None = None

    @classmethod
    def of(cls, root: Root) -> "RootLock":
        """The lock of a root, the same object for every step of a run in this process."""
        return cls._in_process.setdefault((root.absolute_uri, root.access), cls(root))

    def acquire(self, holder: str, wait_s: float = 0, *, is_shared: bool = False) -> None:
        """Acquire it for a holder, or renew it if that holder has it already.

        Raises `LockHeld`, which names who holds it, after `wait_s` seconds, or if a lease was lost
        to somebody else meanwhile. For `is_shared` see `Lock.acquire`.
        """
        if self._holder == holder and self._lock.renew():
            return
        if self._holder is not None or not self._lock.acquire(holder, wait_s, is_shared=is_shared):
            raise self._held()
        self._holder = holder

    def release(self, holder: str) -> None:
        """Release it if that holder has it."""
        if self._holder == holder:
            self._holder = None
            self._lock.release()
            key = (self._root.absolute_uri, self._root.access)
            if self._in_process.get(key) is self:
                del self._in_process[key]

    def holder(self) -> Document | None:
        """The document about who holds it now; None if nobody does."""
        return self._lock.last_holder() if self._holder or self._lock.is_held() else None

    def _held(self) -> LockHeld:
        document = self._lock.last_holder()
        who = document.get("holder", "another run")
        where = (
            f"process {document.get('pid')} on {document.get('host')}, "
            f"since {document.get('since')}"
        )
        return LockHeld(
            f"{who} is at work on {self._root.uri} ({where})",
            "wait for its end, or give --lock-wait SECONDS",
        )


@contextmanager
def root_locked(root: Root, holder: str, wait_s: float) -> Iterator[None]:
    """Hold the lock of a root for a command other than a run, while the block runs.

    Raises `LockHeld`, and `RunNotFound` where there is no root.
    """
    if not any(root.storage.folders(root.uri)):
        raise RunNotFound(f"there is nothing at {root.uri}", "give its --root")
    lock = RootLock.of(root)
    lock.acquire(holder, wait_s)
    try:
        yield
    finally:
        lock.release(holder)


class RunLock:
    """The lock of a run, held from before its first record until after its last.

    One object a run in this process, which the steps of the run share. A lease is shared by the
    processes of a run: what keeps two of them from one run of the workflow is the lock of the
    root, and a stage that is run by hand has its id from its one process.
    """

    _in_process: ClassVar[dict[str, "RunLock"]] = {}

    def __init__(self, root: Root, run_id: str) -> None:
        self._run_id = run_id
        self._uri = root.run(run_id)
        self._key = f"{root.absolute_uri}/{run_id}"
        self._lock: Lock = (
            LeaseLock(root.storage, f"{root.at_work}/{run_id}.json")
            if root.is_remote
            else FileLock(Path(self._uri, RUN_LOCK_FILE), RUN_FILE_WAIT_S, root.storage)
        )

    @classmethod
    def of(cls, root: Root, run_id: str) -> "RunLock":
        """The lock of a run, the same object for every step of the run in this process."""
        return cls._in_process.setdefault(f"{root.absolute_uri}/{run_id}", cls(root, run_id))

    def acquire(self) -> bool:
        """Acquire it; False if this process holds it already.

        Raises `LockHeld` if another process works on the run.
        """
        if self._lock.is_ours:
            return False
        if not self._lock.acquire(self._run_id, is_shared=True):
            raise LockHeld(f"another process works on {self._uri}", "wait for its end")
        return True

    def acquire_if_dead(self, *, is_certain: bool = False) -> bool:
        """Acquire it if the process that worked on the run has died; whether that was so.

        Pass `is_certain` if only a dead process can hold it: a lease is then not waited for.
        """
        return not self._lock.is_ours and self._lock.acquire_abandoned(
            CLEARING_UP, is_certain=is_certain
        )

    def release(self, *, is_over: bool = True) -> None:
        """Release it; a run that is not over looks from now on as if its process had died."""
        if self._lock.is_ours:
            self._lock.release(delete=is_over)
        self._in_process.pop(self._key, None)


def locked_runs(root: Root) -> list[str]:
    """The ids of runs that a process works on, or did when it died; the newest first."""
    if root.is_remote:
        names = [PurePath(file.uri).stem for file in root.storage.list(root.at_work)]
    else:
        folders = map(Path, root.storage.folders(root.runs))
        names = [folder.name for folder in folders if (folder / RUN_LOCK_FILE).exists()]
    return sorted((name for name in names if RUN_ID.fullmatch(name)), reverse=True)
