"""Time as the interpreter sees it: everything that waits, waits here."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

# A signal that comes just before the main thread blocks does not wake it: it looks up now and then.
SLICE_SECONDS = 0.25


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """The present moment, in UTC."""

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait until the event is set, or so many seconds at most; whether it was set."""


class SystemClock:
    """The time of this machine since it was asked first, whatever becomes of its wall clock."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC)
        self._elapsed = time.monotonic()

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return self._start + timedelta(seconds=time.monotonic() - self._elapsed)

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait for the event; a signal handler that raises ends this in the main thread."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            left = SLICE_SECONDS if end is None else end - time.monotonic()
            if event.wait(min(max(left, 0), SLICE_SECONDS)):
                return True
            if end is not None and left <= SLICE_SECONDS:
                return False


def as_text(moment: datetime) -> str:
    """The moment as timestamps are written, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
