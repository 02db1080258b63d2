"""Whether a process is at work on a run, known even after kill -9."""

from abc import ABC, abstractmethod
from pathlib import Path, PurePath
from typing import ClassVar

from filelock import FileLock, Timeout

from healthpipe.errors import LockHeld
from healthpipe.storage.layout import RUN_ID, Root
from healthpipe.storage.lease import Lease, Tenure

NAME = ".alive"
# Whoever looks whether a run is dead holds its mark for a moment.
PATIENCE_S = 2
CLEARING_UP = "clearing up"


class Liveness(ABC):
    """The mark that a process works on a run.

    It is there from before the run's first record until after its last. One for each run in this
    process, which the steps of the run share.
    """

    _known: ClassVar[dict[str, "Liveness"]] = {}

    def __init__(self, root: Root, run_id: str) -> None:
        self._key = f"{root.place}/{run_id}"
        self._uri = root.run(run_id)

    @classmethod
    def of(cls, root: Root, run_id: str) -> "Liveness":
        """That of a run."""
        kind = _Leased if root.is_remote else _Locked
        return cls._known.setdefault(f"{root.place}/{run_id}", kind(root, run_id))

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


class _Locked(Liveness):
    """A locked file in the run's folder: the kernel knows whether its process lives."""

    def __init__(self, root: Root, run_id: str) -> None:
        super().__init__(root, run_id)
        self._mark = Path(self._uri).resolve() / NAME
        self._lock = FileLock(self._mark, thread_local=False)

    def _is_ours(self) -> bool:
        return self._lock.is_locked

    def _take(self) -> bool:
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        return self._acquire(PATIENCE_S)

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


class _Leased(Liveness):
    """A lease of the run's own, which is over some time after its process has died.

    It is shared: what keeps two processes from one run of the workflow is the lock of the root,
    and a stage that is run by hand has its id from its one process.
    """

    def __init__(self, root: Root, run_id: str) -> None:
        super().__init__(root, run_id)
        self._run_id = run_id
        self._lease = Lease(root.storage, f"{root.at_work}/{run_id}.json")
        self._tenure: Tenure | None = None

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
