"""Threads of the interpreter: the calls of tasks and the branches of Parallel states.

Each has a thread of its own, so that a call can be abandoned when its time is over, and a branch
when another one fails. Whatever is abandoned is cancelled first and given a second to end.
"""

import contextvars
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from healthpipe.asl.errors import TIMEOUT, ExecutionTimedOut, StateFailed, Stopped
from healthpipe.asl.timing import Scope
from healthpipe.cancellation import Deadline, signals_deferred
from healthpipe.errors import OutOfTime

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
