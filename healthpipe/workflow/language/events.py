"""What happens to the states of a run, told to whoever watches."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from healthpipe.workflow.language.errors import StateFailed


class What(StrEnum):
    """What happened to a state."""

    ENTERED = "entered"
    WAITS = "waits"  # for `seconds`
    RETRIED = "retried"  # because of `failure`, after `seconds`
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # with `failure`, whether or not something catches it
    STOPPED = "stopped"  # before its end, because another branch failed or the run is given up


@dataclass(frozen=True)
class Event:
    """One thing that happened to a state."""

    what: What
    state: str
    failure: StateFailed | None = None
    seconds: float | None = None


Watcher = Callable[[Event], None]


class Told:
    """Tells one event after the other, and none once the run is over."""

    def __init__(self, watch: Watcher) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._is_over = False

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_over = True

    def tell(self, event: Event) -> None:
        """Pass on an event."""
        with self._lock:
            if not self._is_over:
                self._watch(event)
