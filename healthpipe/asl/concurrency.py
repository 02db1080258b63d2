"""Time as the interpreter sees it: everything that waits, waits here.

How long a machine or one of its branches may go on: until it is told to stop, or its time ends.

A branch is told to stop when another one fails; only the machine as a whole has a time.

Calls of tasks, each in a thread of its own, so that one can be given up.

The branches of a Parallel state, each in a thread of its own.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from healthpipe.asl.errors import TIMEOUT, ExecutionTimedOut, StateFailed, Stopped
from healthpipe.cancellation import Deadline, signals_deferred
from healthpipe.errors import OutOfTime

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


def format_timestamp(moment: datetime) -> str:
    """The moment as timestamps are written, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Scope:
    """What ends the states of one machine or branch early."""

    clock: Clock
    end: datetime | None = None
    limit: Deadline = field(default_factory=Deadline)

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


# How long what is told to stop may take to end before it is left to itself.
GRACE_SECONDS = 1.0

# What a call may raise because it was cancelled, rather than by a fault of ours.
_ENDED_EARLY = (StateFailed, OutOfTime)


def start_thread(body: Callable[[], None], name: str) -> None:
    """Run something in a thread that sees this one's context and never keeps the process alive.

    Not a pool: its threads are waited for when the process ends.
    """
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(body,), name=name, daemon=True)
    with signals_deferred():  # a thread that is half started ends with a traceback
        thread.start()


class TaskCall:
    """One call of a task: begun at once, and its result awaited or given up."""

    def __init__(
        self, work: Callable[[Deadline], Any], name: str, seconds: float | None, scope: Scope
    ) -> None:
        self._scope = scope
        left = scope.remaining()
        self._is_cut = left is not None and (seconds is None or left <= seconds)
        self._seconds = left if self._is_cut else seconds
        self._limit = Deadline(self._seconds)
        self._work = work
        self._name = name
        self._is_done = threading.Event()
        self._changed = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def result(self) -> Any:
        """What the task returned.

        Raises `StateFailed` as the task does, or with `States.Timeout` once the time is over;
        `Stopped`; and whatever else the task raises, as it is.
        """
        try:
            with self._scope.limit.cancels(self._limit.cancel):
                start_thread(self._perform, self._name)
                self._scope.wait(self._changed, self._seconds)
        except BaseException:
            self._end_early()
            raise
        if self._scope.limit.is_cancelled.is_set():
            self._end_early()
            if self._error and not isinstance(self._error, _ENDED_EARLY):
                raise self._error
            raise Stopped
        if not self._is_done.is_set():
            self._limit.cancel()
            raise self._timeout()
        if isinstance(self._error, _ENDED_EARLY) and self._limit.remaining() == 0:
            raise self._timeout() from self._error
        if self._error:
            raise self._error
        return self._result

    def _perform(self) -> None:
        try:
            self._result = self._work(self._limit)
        except BaseException as error:
            self._error = error
        finally:
            self._is_done.set()
            self._changed.set()

    def _end_early(self) -> None:
        self._limit.cancel()
        self._scope.clock.wait(self._is_done, GRACE_SECONDS)

    def _timeout(self) -> StateFailed:
        if self._is_cut:
            return ExecutionTimedOut()
        return StateFailed(TIMEOUT, f"the task ran longer than {self._seconds} s")


Body = Callable[[Scope], Any]


class Branches:
    """Branches that run together: the first that fails stops the others."""

    def __init__(self, bodies: Sequence[Body], scope: Scope) -> None:
        self._bodies = bodies
        self._scope = scope
        self._scopes = [scope.branch() for _ in bodies]
        self._results: list[Any] = [None] * len(bodies)
        self._errors: list[BaseException] = []
        self._running = 1  # with the thread that starts them, for as long as it does
        self._lock = threading.Lock()
        self._is_settled = threading.Event()  # nothing runs any more, or not for long
        self._is_over = threading.Event()  # nothing runs any more

    def results(self) -> list[Any]:
        """What the branches came to, in their order.

        Raises what the first one that failed did, once the others have ended or are left to
        themselves; `Stopped` when all of them are to stop.
        """
        try:
            self._start()
            self._scope.wait(self._is_settled)
        except BaseException:
            self._stop()
            self._scope.clock.wait(self._is_over, GRACE_SECONDS)
            raise
        if not self._is_over.is_set():
            self._stop()
            self._scope.clock.wait(self._is_over, None)
        if self._errors:
            raise self._first_error()
        self._scope.go_on()
        return self._results

    def _start(self) -> None:
        try:
            for number in range(len(self._bodies)):
                with self._lock:
                    self._running += 1
                start_thread(partial(self._run, number), f"branch {number + 1}")
        finally:
            self._leave()

    def _run(self, number: int) -> None:
        try:
            self._results[number] = self._bodies[number](self._scopes[number])
        except Stopped:
            pass
        except BaseException as error:
            with self._lock:
                self._errors.append(error)
            self._is_settled.set()
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self._is_over.set()
                self._is_settled.set()

    def _stop(self) -> None:
        for scope in self._scopes:
            scope.limit.cancel()

    def _first_error(self) -> BaseException:
        """A signal or a fault of ours goes before a state that failed."""
        grave = (error for error in self._errors if not isinstance(error, StateFailed))
        return next(grave, self._errors[0])
