"""Whether a process is at work on a run: the kernel knows, even after kill -9."""

from pathlib import Path
from typing import ClassVar

from filelock import FileLock, Timeout

from healthpipe.errors import LockHeld

NAME = ".alive"
# Whoever looks whether a run is dead holds its mark for a moment.
PATIENCE_S = 2


class Liveness:
    """The mark that a process works on a run: a locked file in the run's folder.

    It is there from before the run's first record until after its last. One for each run in this
    process, which the steps of the run share.
    """

    _known: ClassVar[dict[Path, "Liveness"]] = {}

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = folder / NAME
        self._lock = FileLock(self._mark, thread_local=False)

    @classmethod
    def of(cls, folder: str) -> "Liveness":
        """That of the run in a folder."""
        resolved = Path(folder).resolve()
        return cls._known.setdefault(resolved, cls(resolved))

    def take(self) -> bool:
        """Mark the run as worked on by this process; whether it was not marked so already.

        Raises `LockHeld` if another process works on it.
        """
        if self._lock.is_locked:
            return False
        if not self._take(PATIENCE_S):
            raise LockHeld(f"another process works on {self._folder}", "wait for its end")
        return True

    def take_if_dead(self) -> bool:
        """Take the run over if a process worked on it and ended without a word."""
        return self._mark.exists() and not self._lock.is_locked and self._take(0)

    def give_back(self, *, is_over: bool = True) -> None:
        """Let go of the run; one that is not over looks dead from now on."""
        if self._lock.is_locked:
            if is_over:
                self._mark.unlink(missing_ok=True)
            self._lock.release()
        self._known.pop(self._folder, None)

    def _take(self, patience: float) -> bool:
        if self._lock.is_locked:
            return True
        try:
            self._lock.acquire(timeout=patience)
        except Timeout:
            return False
        return True
