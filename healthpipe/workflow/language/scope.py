"""How long a machine or one of its branches may go on: until it is told to stop, or its time ends.

A branch is told to stop when another one fails; only the machine as a whole has a time.
"""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from healthpipe.cancellation import Limit
from healthpipe.workflow.language.clock import Clock
from healthpipe.workflow.language.errors import ExecutionTimedOut, Stopped


@dataclass(frozen=True)
class Scope:
    """What ends the states of one machine or branch early."""

    clock: Clock
    end: datetime | None = None
    limit: Limit = field(default_factory=Limit)

    def branch(self) -> "Scope":
        """A scope of its own for a branch, with the same end."""
        return Scope(self.clock, self.end)

    def remaining(self) -> float | None:
        """The seconds until the end of the machine's time; None where it has none."""
        return None if self.end is None else (self.end - self.clock.now()).total_seconds()

    def go_on(self) -> None:
        """Raise `Stopped` or `ExecutionTimedOut` when it is due."""
        if self.limit.is_cancelled.is_set():
            raise Stopped
        remaining = self.remaining()
        if remaining is not None and remaining <= 0:
            raise ExecutionTimedOut

    def pause(self, seconds: float) -> None:
        """Let time pass. Raises `Stopped` or `ExecutionTimedOut` as soon as it is due."""
        remaining = self.remaining()
        longest = seconds if remaining is None else min(seconds, max(0.0, remaining))
        self.clock.wait(self.limit.is_cancelled, longest)
        self.go_on()

    def wait(self, event: threading.Event, seconds: float | None = None) -> bool:
        """Wait until the event is set, also by the order to stop; whether it was in time."""
        with self.limit.cancels(event.set):
            return self.clock.wait(event, seconds)
