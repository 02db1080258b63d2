"""One run of the workflow per root.

The lock saves work; what protects production is the conditional flip of the pointer alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from healthpipe.aws.access import AwsAccess
from healthpipe.errors import LockHeld, RunNotFound
from healthpipe.storage.layout import Root
from healthpipe.workflow.grips import Grip, grip_of


class RootLock:
    """The lock of a root. One for each root in this process, for the steps of a run share it."""

    _known: ClassVar[dict[tuple[str, AwsAccess], "RootLock"]] = {}

    def __init__(self, root: Root) -> None:
        self._root = root
        self._grip: Grip = grip_of(root)
        self._holder: str | None = None

    @classmethod
    def of(cls, root: Root) -> "RootLock":
        """That of a root."""
        return cls._known.setdefault((root.place, root.access), cls(root))

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
            known = (self._root.place, self._root.access)
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
