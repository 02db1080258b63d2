"""Cancel work in order: by a signal to the process, a deadline, or a call from another thread.

A signal handler can only raise in the main thread, and a query that runs does not notice it. So
long work calls `raise_if_cancelled` between its pieces, and whoever runs queries registers a
callback that stops them (`cancel_on_stop`).
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import FrameType

from healthpipe.errors import Interrupted, OutOfTime

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# How often `sleep` looks whether the work was cancelled.
_SLEEP_SLICE_S = 0.1

# The stopping signals that came: at most one, for the second ends the process.
_received: list[int] = []
# The ends of pipes that become readable when a signal comes.
_wake_pipes: list[int] = []
# Not empty while a signal must not raise: see `signals_deferred`.
_deferring: list[bool] = []
_cancel_callbacks: set[Callable[[], None]] = set()


class Deadline:
    """How long a piece of work may go on: for `seconds`, and until it is cancelled.

    Without `seconds` there is no time limit. `is_cancelled` is an event to wait for.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.is_cancelled = threading.Event()
        self._end = None if seconds is None else time.monotonic() + seconds
        self._callbacks: set[Callable[[], None]] = set()

    def remaining(self) -> float | None:
        """The seconds that are left, not below 0; None where there is no time limit."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def cancel(self) -> None:
        """Cancel the work and call the registered callbacks. Any thread."""
        self.is_cancelled.set()
        for callback in list(self._callbacks):
            callback()

    def raise_if_reached(self) -> None:
        """Raise `OutOfTime` when the time is up or the work was cancelled."""
        if self.is_cancelled.is_set() or self.remaining() == 0:
            raise OutOfTime

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have `callback` called when the work is cancelled while the block runs."""
        self._callbacks.add(callback)
        try:
            if self.is_cancelled.is_set():
                callback()
            yield
        finally:
            self._callbacks.discard(callback)


_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline_applied(deadline: Deadline) -> Iterator[None]:
    """Apply a deadline to the block, in this thread and in threads that copy its context."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


_is_shielded: ContextVar[bool] = ContextVar("is_shielded", default=False)


@contextmanager
def shielded() -> Iterator[None]:
    """Ignore cancellation in the block: for recording how cancelled work ended."""
    token = _is_shielded.set(True)
    try:
        yield
    finally:
        _is_shielded.reset(token)


def raise_if_cancelled() -> None:
    """Raise `Interrupted` once a signal came, `OutOfTime` once this work's deadline is reached.

    To be called between pieces of long work.
    """
    if _is_shielded.get():
        return
    if _received:
        raise Interrupted(_received[0])
    deadline = _deadline.get()
    if deadline:
        deadline.raise_if_reached()


def sleep(seconds: float) -> None:
    """Sleep, and raise as `raise_if_cancelled` does within a tenth of a second. Any thread."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        raise_if_cancelled()
        time.sleep(min(left, _SLEEP_SLICE_S))
    raise_if_cancelled()


class Clock:
    """Monotonic seconds, and waits that a signal, a deadline or `cancel` ends at once."""

    def __init__(self) -> None:
        from queue import SimpleQueue

        self._is_cancelled = False
        # Unlike an Event it may be used by a signal handler that interrupts the waiting thread.
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def now(self) -> float:
        """The seconds since an arbitrary moment."""
        return time.monotonic()

    def cancel(self) -> None:
        """Make `wait` raise, now and from now on. Any thread, signal handlers too."""
        self._is_cancelled = True
        self._wakes.put(None)

    def raise_if_cancelled(self) -> None:
        """Raise `Interrupted` or `OutOfTime` when the work is cancelled."""
        raise_if_cancelled()
        if self._is_cancelled:
            raise OutOfTime

    def wait(self, seconds: float) -> None:
        """Wait for `seconds`, and raise as `raise_if_cancelled` does as soon as it would."""
        from queue import Empty

        self.raise_if_cancelled()
        with suppress(Empty):
            self._wakes.get(timeout=seconds)
        self.raise_if_cancelled()

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`, cancelled or not: for waits that cleaning up needs."""
        time.sleep(seconds)


def wait_for_bytes(handle: int) -> None:
    """Wait until a file descriptor can be read or ends. Raises as `raise_if_cancelled` does.

    A signal that comes in the instant before a read would not end that read.
    """
    select.select([handle, *_wake_pipes], [], [])
    raise_if_cancelled()


@contextmanager
def cancel_on_stop(cancel: Callable[[], None]) -> Iterator[None]:
    """Call `cancel` when a signal comes, or the work is cancelled, while the block runs."""
    deadline = _deadline.get() or Deadline()
    _cancel_callbacks.add(cancel)
    try:
        with deadline.on_cancel(cancel):
            yield
    finally:
        _cancel_callbacks.discard(cancel)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Have a signal that comes in the block raise at its end: for what must not be left half done.

    It does nothing in other threads than the main one, which no signal breaks off.
    """
    if threading.current_thread() is not threading.main_thread() or _received:
        yield
        return
    _deferring.append(True)
    try:
        yield
    finally:
        _deferring.pop()
    if _received:
        raise Interrupted(_received[0])


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """In the block a signal raises `Interrupted`; a second one ends the process at once."""

    def stop(number: int, _: FrameType | None) -> None:
        if _received:
            os._exit(128 + number)
        _received.append(number)
        for cancel in list(_cancel_callbacks):
            cancel()
        if not _deferring:
            raise Interrupted(number)

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous_writer = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _wake_pipes.append(reader)
    previous = {number: signal.signal(number, stop) for number in STOPPING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        _received.clear()
        signal.set_wakeup_fd(previous_writer)
        _wake_pipes.remove(reader)
        os.close(reader)
        os.close(writer)
