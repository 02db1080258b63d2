"""The state of the alerts in the storage: read, and changed without losing others' changes."""

import datetime
from collections.abc import Callable

from healthpipe.alerts.state import State
from healthpipe.errors import HealthpipeError, ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root

ATTEMPTS = 10


class Ledger:
    """The state as it was read, and its changes, each stored at once.

    `problems` says, each in one line, what is wrong with it; `is_usable` whether it can be read
    and written. A state that is damaged is set aside, and a new one begun.
    """

    def __init__(self, root: Root, now: datetime.datetime) -> None:
        self._root = root
        self._now = now
        self.state = State()
        self.problems: list[str] = []
        self.is_usable = True
        self._etag: str | None = None
        self._content: bytes | None = None
        self._is_current = False
        try:
            self._read()
        except (HealthpipeError, OSError) as error:
            self._give_up(error)

    def change(self, change: Callable[[State], None]) -> bool:
        """Apply a change and store the state; whether that succeeded.

        Where somebody else stored one since, the change is applied to theirs.
        """
        try:
            if self.is_usable:
                self._store(change)
        except (HealthpipeError, OSError) as error:
            self._give_up(error)
        return self.is_usable

    def _store(self, change: Callable[[State], None]) -> None:
        for _ in range(ATTEMPTS):
            if not self._is_current:
                self._read()
            change(self.state)
            self.state.forget(self._now.date())
            content = self.state.to_bytes()
            if content == self._content:
                return
            self._is_current = False  # the ETag of what is stored now is not known
            try:
                self._root.storage.put_if(self._root.alerts, content, self._etag)
            except PreconditionFailed:
                continue
            self._content = content
            return
        raise ServiceFailed("others keep changing it", "run again")

    def _read(self) -> None:
        content, self._etag = self._root.storage.read(self._root.alerts) or (None, None)
        self._is_current = True
        if content is not None and content == self._content:  # nobody else has stored one
            return
        self._content = content
        try:
            self.state = State() if content is None else State.parse(content)
        except ValueError:
            self.state = State()
            self._set_aside(content or b"")

    def _set_aside(self, content: bytes) -> None:
        beside = self._root.damaged_alerts(f"{self._now:%Y%m%dT%H%M%SZ}")
        self._root.storage.write(beside, content)
        self.problems.append(
            f"{self._root.alerts} was damaged and is kept as {beside}; what was announced before"
            " may be announced again"
        )
        self._store(lambda _: None)

    def _give_up(self, error: Exception) -> None:
        self.is_usable = False
        why = " ".join(str(error).split())
        self.problems.append(f"{self._root.alerts} cannot be kept: {why}")


def read_state(root: Root) -> State:
    """The state as it is, for a look at it; an empty one where it is damaged."""
    found = root.storage.read(root.alerts)
    try:
        return State.parse(found[0]) if found else State()
    except ValueError:
        return State()
