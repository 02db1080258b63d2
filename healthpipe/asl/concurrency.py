"""Time and threads of the interpreter: clock, scopes, calls of tasks, branches of Parallel states.

Everything that waits does so through a `Clock`, so that tests can run in virtual time. A `Scope`
ends what runs in it when its execution times out, or when it is cancelled: a branch is, when
another branch of its Parallel state fails. Calls and branches have threads of their own, so that
one can be abandoned: it is cancelled first and given a second to end.
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
    """Interface of the interpreter's clock: the current time, and waits with a timeout."""

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


# How long what is cancelled may take to end before it is abandoned.
GRACE_SECONDS = 1.0

# What a call may raise because it was cancelled, rather than by a fault of ours.
_CANCELLATION_ERRORS = (StateFailed, OutOfTime)

Branch = Callable[[Scope], Any]


def start_thread(body: Callable[[], None], name: str) -> None:
    """Start a daemon thread that has this thread's context variables.

    Not a pool: its threads are waited for when the process ends.
    """
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(body,), name=name, daemon=True)
    with signals_deferred():  # a thread that is half started ends with a traceback
        thread.start()


class TaskCall:
    """One call of a task in a thread, limited by a timeout and by the scope it runs in.

    `timeout` is in seconds, None for no limit. The limit is computed at construction.
    """

    def __init__(
        self, function: Callable[[Deadline], Any], name: str, timeout: float | None, scope: Scope
    ) -> None:
        self._scope = scope
        left = scope.remaining()
        self._is_limited_by_scope = left is not None and (timeout is None or left <= timeout)
        self._timeout = left if self._is_limited_by_scope else timeout
        self._deadline = Deadline(self._timeout)
        self._function = function
        self._name = name
        self._is_done = threading.Event()
        self._is_done_or_cancelled = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def result(self) -> Any:
        """Run the task and return its result.

        Raises `StateFailed` as the task does, or with `States.Timeout` once the time is over;
        `Stopped` when the scope is cancelled; and whatever else the task raises, as it is.
        """
        try:
            with self._scope.deadline.on_cancel(self._deadline.cancel):
                start_thread(self._run, self._name)
                self._scope.wait(self._is_done_or_cancelled, self._timeout)
        except BaseException:
            self._cancel_and_wait()
            raise
        if self._scope.deadline.is_cancelled.is_set():
            self._cancel_and_wait()
            if self._error and not isinstance(self._error, _CANCELLATION_ERRORS):
                raise self._error
            raise Stopped
        if not self._is_done.is_set():
            self._deadline.cancel()
            raise self._timeout_error()
        if isinstance(self._error, _CANCELLATION_ERRORS) and self._deadline.remaining() == 0:
            raise self._timeout_error() from self._error
        if self._error:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._function(self._deadline)
        except BaseException as error:
            self._error = error
        finally:
            self._is_done.set()
            self._is_done_or_cancelled.set()

    def _cancel_and_wait(self) -> None:
        self._deadline.cancel()
        self._scope.clock.wait(self._is_done, GRACE_SECONDS)

    def _timeout_error(self) -> StateFailed:
        if self._is_limited_by_scope:
            return ExecutionTimedOut()
        return StateFailed(TIMEOUT, f"the task ran longer than {self._timeout} s")


class ParallelBranches:
    """The branches of one Parallel state, run at the same time; one that fails stops the others."""

    def __init__(self, branches: Sequence[Branch], scope: Scope) -> None:
        self._branches = branches
        self._scope = scope
        self._branch_scopes = [scope.for_branch() for _ in branches]
        self._results: list[Any] = [None] * len(branches)
        self._errors: list[BaseException] = []
        self._running = 1  # with the thread that starts them, for as long as it does
        self._lock = threading.Lock()
        self._is_ended_or_failed = threading.Event()
        self._is_ended = threading.Event()  # no branch runs any more

    def results(self) -> list[Any]:
        """Run the branches and return their results, in their order.

        Raises the first branch's error once the others have ended or are abandoned, and `Stopped`
        when the scope is cancelled.
        """
        try:
            self._start()
            self._scope.wait(self._is_ended_or_failed)
        except BaseException:
            self._cancel()
            self._scope.clock.wait(self._is_ended, GRACE_SECONDS)
            raise
        if not self._is_ended.is_set():
            self._cancel()
            self._scope.clock.wait(self._is_ended, None)
        if self._errors:
            raise self._most_severe_error()
        self._scope.raise_if_over()
        return self._results

    def _start(self) -> None:
        try:
            for number in range(len(self._branches)):
                with self._lock:
                    self._running += 1
                start_thread(partial(self._run, number), f"branch {number + 1}")
        finally:
            self._count_ended()

    def _run(self, number: int) -> None:
        try:
            self._results[number] = self._branches[number](self._branch_scopes[number])
        except Stopped:
            pass
        except BaseException as error:
            with self._lock:
                self._errors.append(error)
            self._is_ended_or_failed.set()
        finally:
            self._count_ended()

    def _count_ended(self) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self._is_ended.set()
                self._is_ended_or_failed.set()

    def _cancel(self) -> None:
        for scope in self._branch_scopes:
            scope.deadline.cancel()

    def _most_severe_error(self) -> BaseException:
        """Return the first error that is no failure of a state (signal or bug), else the first."""
        severe = (error for error in self._errors if not isinstance(error, StateFailed))
        return next(severe, self._errors[0])
