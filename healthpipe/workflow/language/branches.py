"""The branches of a Parallel state, each in a thread of its own."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from healthpipe.asl.concurrency import GRACE_SECONDS, start_thread
from healthpipe.workflow.language.errors import StateFailed, Stopped
from healthpipe.workflow.language.scope import Scope

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
