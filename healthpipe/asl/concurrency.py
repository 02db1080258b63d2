"""Calls of tasks, each in a thread of its own, so that one can be given up."""

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from healthpipe.cancellation import Limit, unbroken
from healthpipe.errors import OutOfTime
from healthpipe.workflow.language.errors import TIMEOUT, ExecutionTimedOut, StateFailed, Stopped
from healthpipe.workflow.language.scope import Scope

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
    with unbroken():  # a thread that is half started ends with a traceback
        thread.start()


class Call:
    """One call of a task: begun at once, and its result awaited or given up."""

    def __init__(
        self, work: Callable[[Limit], Any], name: str, seconds: float | None, scope: Scope
    ) -> None:
        self._scope = scope
        left = scope.remaining()
        self._is_cut = left is not None and (seconds is None or left <= seconds)
        self._seconds = left if self._is_cut else seconds
        self._limit = Limit(self._seconds)
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
