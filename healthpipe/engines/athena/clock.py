"""Waiting for something elsewhere, in a way that ends at once when the work is to end."""

import contextlib
import time
from queue import Empty, SimpleQueue

from healthpipe.cancellation import raise_if_stopping
from healthpipe.errors import OutOfTime


class Clock:
    """Monotonic seconds, and waits that a signal, a limit of the work or `cancel` breaks off."""

    def __init__(self) -> None:
        self._is_cancelled = False
        # Unlike an Event it may be used by a signal handler that interrupts the waiting thread.
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def cancel(self) -> None:
        """Make `wait` raise, now and from now on. Any thread, signal handlers too."""
        self._is_cancelled = True
        self._wakes.put(None)

    def raise_if_stopped(self) -> None:
        """Raise `Interrupted` or `OutOfTime` when the work is to end."""
        raise_if_stopping()
        if self._is_cancelled:
            raise OutOfTime

    def wait(self, seconds: float) -> None:
        """Wait, and raise as `raise_if_stopped` does as soon as it would."""
        self.raise_if_stopped()
        with contextlib.suppress(Empty):
            self._wakes.get(timeout=seconds)
        self.raise_if_stopped()

    def sleep(self, seconds: float) -> None:
        """Wait for what has to be waited for though the work is to end."""
        time.sleep(seconds)
