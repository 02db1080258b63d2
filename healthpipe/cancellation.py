"""Ending work in order: when the process is told to stop, or when a piece of work is.

A signal handler can only raise in the main thread, and a query that runs does not notice. So
whoever does long work looks here, and whoever runs queries leaves a way to cancel them.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from healthpipe.errors import Interrupted, OutOfTime

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_received: list[int] = []
# What becomes readable when a signal comes.
_wakes: list[int] = []
_is_unbroken: list[bool] = []
_cancels: set[Callable[[], None]] = set()


class Deadline:
    """How long a piece of work may go on: for so many seconds, and until it is cancelled.

    Without `seconds` it may go on for ever. `is_cancelled` is an event to wait for.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.is_cancelled = threading.Event()
        self._end = None if seconds is None else time.monotonic() + seconds
        self._cancels: set[Callable[[], None]] = set()

    def remaining(self) -> float | None:
        """The seconds that are left, not below 0; None for ever."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def cancel(self) -> None:
        """Make the work end early. Any thread."""
        self.is_cancelled.set()
        for cancel in list(self._cancels):
            cancel()

    def raise_if_reached(self) -> None:
        """Raise `OutOfTime` when the work may not go on."""
        if self.is_cancelled.is_set() or self.remaining() == 0:
            raise OutOfTime

    @contextmanager
    def cancels(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Have `cancel` called when the work is cancelled while the block runs."""
        self._cancels.add(cancel)
        try:
            if self.is_cancelled.is_set():
                cancel()
            yield
        finally:
            self._cancels.discard(cancel)


_limit: ContextVar[Deadline | None] = ContextVar("limit", default=None)


@contextmanager
def deadline_applied(limit: Deadline) -> Iterator[None]:
    """Make the work of the block, in this thread and in those that copy its context, end by it."""
    token = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(token)


_winds_up: ContextVar[bool] = ContextVar("winds_up", default=False)


@contextmanager
def shielded() -> Iterator[None]:
    """Let the block go on though the work was told to end: for writing down how it ended."""
    token = _winds_up.set(True)
    try:
        yield
    finally:
        _winds_up.reset(token)


def raise_if_cancelled() -> None:
    """Raise `Interrupted` once a signal came, `OutOfTime` once the limit of this work is reached.

    To be called between pieces of long work.
    """
    if _winds_up.get():
        return
    if _received:
        raise Interrupted(_received[0])
    limit = _limit.get()
    if limit:
        limit.raise_if_reached()


def wait_for_bytes(handle: int) -> None:
    """Wait until a file or pipe can be read or ends. Raises as `raise_if_cancelled` does.

    A signal that comes in the instant before a read would not end that read.
    """
    select.select([handle, *_wakes], [], [])
    raise_if_cancelled()


@contextmanager
def cancel_on_stop(cancel: Callable[[], None]) -> Iterator[None]:
    """Call `cancel` when a signal comes, or the work is cancelled, while the block runs."""
    limit = _limit.get() or Deadline()
    _cancels.add(cancel)
    try:
        with limit.cancels(cancel):
            yield
    finally:
        _cancels.discard(cancel)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Have a signal that comes in the block raise at its end: for what must not be left half done.

    It does nothing in other threads than the main one, which no signal breaks off.
    """
    if threading.current_thread() is not threading.main_thread() or _received:
        yield
        return
    _is_unbroken.append(True)
    try:
        yield
    finally:
        _is_unbroken.pop()
    if _received:
        raise Interrupted(_received[0])


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """In the block a signal raises `Interrupted`; a second one ends the process at once."""

    def stop(number: int, _: FrameType | None) -> None:
        if _received:
            os._exit(128 + number)
        _received.append(number)
        for cancel in list(_cancels):
            cancel()
        if not _is_unbroken:
            raise Interrupted(number)

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _wakes.append(reader)
    previous = {number: signal.signal(number, stop) for number in STOPPING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        _received.clear()
        signal.set_wakeup_fd(woken)
        _wakes.remove(reader)
        os.close(reader)
        os.close(writer)
