"""A clock whose time passes only when nothing else can happen."""

import threading
from datetime import UTC, datetime, timedelta

PATIENCE = 20  # seconds until a test that would hang fails


class FakeClock:
    """Virtual time for the thread that made it and all that are started later.

    While one of them works, time stands still. When all of them wait here for events that nobody
    sets, it jumps to the first moment that one of them waits for. Nothing is slept through.
    """

    def __init__(self, start: str = "2026-11-20T06:00:00+00:00") -> None:
        self._now = datetime.fromisoformat(start).astimezone(UTC)
        self._others = set(threading.enumerate()) - {threading.current_thread()}
        self._waiting: dict[threading.Thread, tuple[threading.Event, datetime | None]] = {}
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        end = None if seconds is None else self._now + timedelta(seconds=seconds)
        me = threading.current_thread()
        with self._lock:
            self._waiting[me] = (event, end)
        try:
            for _ in range(PATIENCE * 1000):
                if event.is_set() or (end is not None and self._now >= end):
                    return event.is_set()
                self._advance()
                event.wait(0.001)  # for the other threads to go on
            raise AssertionError("nothing happens any more")
        finally:
            with self._lock:
                del self._waiting[me]

    def _advance(self) -> None:
        with self._lock:
            working = set(threading.enumerate()) - self._others - set(self._waiting)
            ends = [end for _, end in self._waiting.values() if end is not None]
            woken = any(event.is_set() for event, _ in self._waiting.values())
            over = any(end <= self._now for end in ends)
            if ends and not (working or woken or over):
                self._now = min(ends)
