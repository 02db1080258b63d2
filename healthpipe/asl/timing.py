"""Time in the interpreter: the clock, and the scope that ends a machine or a branch early.

Everything that waits does so through a `Clock`, so that tests can run in virtual time. A `Scope`
ends what runs in it when its execution times out, or when it is cancelled: a branch is, when
another branch of its Parallel state fails.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from healthpipe.asl.errors import ExecutionTimedOut, Stopped
from healthpipe.cancellation import Deadline

# A signal that comes just before the main thread blocks does not wake it: it looks up now and then.
SLICE_SECONDS = 0.25


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait for an event, `seconds` at most (None: without limit). Returns whether it is set."""


class SystemClock:
    """The time of this machine, unaffected by changes of its wall clock after construction."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC)
        self._start_monotonic = time.monotonic()

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        return self._start + timedelta(seconds=time.monotonic() - self._start_monotonic)

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait for an event; a signal handler that raises ends the wait in the main thread."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            left = SLICE_SECONDS if end is None else end - time.monotonic()
            if event.wait(min(max(left, 0), SLICE_SECONDS)):
                return True
            if end is not None and left <= SLICE_SECONDS:
                return False


def format_timestamp(moment: datetime) -> str:
    """Format a time as the context object has it: RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Scope:
    """The time limit and the cancellation of one machine or branch.

    `end` is when the execution times out, None for never; `deadline` cancels this scope alone.
    """

    clock: Clock
    end: datetime | None = None
    deadline: Deadline = field(default_factory=Deadline)

    def for_branch(self) -> "Scope":
        """Create the scope of a branch: cancelled by itself, with the same end."""
        return Scope(self.clock, self.end)

    def remaining(self) -> float | None:
        """Return the seconds until the execution times out; None where it has no limit."""
        return None if self.end is None else (self.end - self.clock.now()).total_seconds()

    def raise_if_over(self) -> None:
        """Raise `Stopped` if cancelled, or `ExecutionTimedOut` if the time is over."""
        if self.deadline.is_cancelled.is_set():
            raise Stopped
        remaining = self.remaining()
        if remaining is not None and remaining <= 0:
            raise ExecutionTimedOut

    def sleep(self, seconds: float) -> None:
        """Sleep for so many seconds. Raises `Stopped` or `ExecutionTimedOut` as soon as due."""
        remaining = self.remaining()
        longest = seconds if remaining is None else min(seconds, max(0.0, remaining))
        self.clock.wait(self.deadline.is_cancelled, longest)
        self.raise_if_over()

    def wait(self, event: threading.Event, seconds: float | None = None) -> bool:
        """Wait for an event, which a cancellation sets too. Returns whether it is set."""
        with self.deadline.on_cancel(event.set):
            return self.clock.wait(event, seconds)
