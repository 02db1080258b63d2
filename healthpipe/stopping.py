"""Ending a run in order when the process is told to stop.

A signal handler can only raise in the main thread, and a query that runs does not notice. So
whoever does long work looks here, and whoever runs queries leaves a way to cancel them.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from healthpipe.errors import Interrupted

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_received: list[int] = []
_cancels: set[Callable[[], None]] = set()


def raise_if_stopping() -> None:
    """Raise `Interrupted` once a signal came. To be called between pieces of long work."""
    if _received:
        raise Interrupted(_received[0])


@contextmanager
def cancelled_when_stopping(cancel: Callable[[], None]) -> Iterator[None]:
    """Call `cancel` when a signal comes while the block runs."""
    _cancels.add(cancel)
    try:
        yield
    finally:
        _cancels.discard(cancel)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """In the block a signal raises `Interrupted`; a second one ends the process at once."""

    def stop(number: int, _: FrameType | None) -> None:
        if _received:
            os._exit(128 + number)
        _received.append(number)
        for cancel in list(_cancels):
            cancel()
        raise Interrupted(number)

    previous = {number: signal.signal(number, stop) for number in STOPPING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        _received.clear()
