"""Runs a workflow in Amazon States Language in this process."""

import copy
import random as random_numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from healthpipe.asl.concurrency import Call
from healthpipe.asl.errors import Retries, catcher
from healthpipe.cancellation import Limit
from healthpipe.workflow.language import states
from healthpipe.workflow.language.branches import Branches
from healthpipe.workflow.language.clock import Clock, SystemClock, as_text
from healthpipe.workflow.language.errors import StateFailed
from healthpipe.workflow.language.events import Event, Told, Watcher, What
from healthpipe.workflow.language.scope import Scope
from healthpipe.workflow.language.structure import Machine, State, is_end
from healthpipe.workflow.language.templates import View


class Tasks(Protocol):
    """What Task states call."""

    def call(self, resource: str, argument: Any, limit: Limit) -> Any:
        """The result of a task. Raises `StateFailed`.

        It runs in a thread of its own, and is to end when the limit is reached or cancelled; what
        it does later has no effect.
        """


@dataclass(frozen=True)
class Ended:
    """How a machine or a branch ended well: the name of its last state, and its output."""

    state: str
    output: Any


class Interpreter:
    """Runs checked workflows.

    `context` is the context object, `$$`, without what the run itself knows: State, and where they
    are not given Execution's Input and StartTime. `watch` is told what happens to the states, by
    the threads of branches too but never by two at once, and not after `run` has returned.
    """

    def __init__(
        self,
        tasks: Tasks,
        context: Mapping[str, Any],
        *,
        clock: Clock | None = None,
        random: Callable[[], float] = random_numbers.random,
        watch: Watcher = lambda _: None,
    ) -> None:
        self._tasks = tasks
        self._context = context
        self._clock = clock or SystemClock()
        self._random = random
        self._watch = watch

    def run(self, machine: Machine, data: Any) -> Ended:
        """Run a machine to its end.

        Raises `StateFailed`, and as it is whatever else a task raises or interrupts this thread;
        before, all tasks are told to stop and get a second to end.
        """
        start = self._clock.now()
        known = {"Input": data, "StartTime": as_text(start), **self._context.get("Execution", {})}
        limit = machine.get("TimeoutSeconds")
        end = None if limit is None else start + timedelta(seconds=limit)
        with Told(self._watch) as told:
            execution = _Execution(
                self._tasks, {**self._context, "Execution": known}, self._random, told
            )
            return execution.run(machine, data, Scope(self._clock, end))


class _Execution:
    """One run of a machine."""

    def __init__(
        self, tasks: Tasks, context: Mapping[str, Any], random: Callable[[], float], told: Told
    ) -> None:
        self._tasks = tasks
        self._context = context
        self._random = random
        self._told = told

    def run(self, machine: Machine, data: Any, scope: Scope) -> Ended:
        """Run a machine or a branch."""
        name: str | None = machine["StartAt"]
        while name is not None:
            last, state = name, machine["States"][name]
            self._tell(What.ENTERED, last)
            try:
                data, name = self._visit(last, state, data, scope)
            except StateFailed as failure:
                failure.state = failure.state or last
                self._tell(What.FAILED, last, failure)
                data, name = _caught(last, state, data, failure)
            except BaseException:
                self._tell(What.STOPPED, last)
                raise
            else:
                self._tell(What.SUCCEEDED, last)
        return Ended(last, data)

    def _visit(self, name: str, state: State, data: Any, scope: Scope) -> tuple[Any, str | None]:
        """The output of a state, tried as often as its Retry says, and the name of the next."""
        entered = as_text(scope.clock.now())
        retries = Retries(state, self._random)
        while True:
            scope.go_on()
            about = {"Name": name, "EnteredTime": entered, "RetryCount": retries.count}
            view = View({**self._context, "State": about}, self._random)
            try:
                return self._output(name, state, data, view, scope)
            except StateFailed as failure:
                seconds = retries.delay(failure)
                if seconds is None:
                    raise
                failure.state = failure.state or name
                self._tell(What.RETRIED, name, failure, seconds)
            scope.pause(seconds)

    def _output(
        self, name: str, state: State, raw: Any, view: View, scope: Scope
    ) -> tuple[Any, str | None]:
        match state["Type"]:
            case "Fail":
                raise states.failure(state, raw, view)
            case "Task":
                seconds = states.timeout(state, raw, view)
                output = states.worked(
                    state, raw, view, lambda given: self._call(state, given, seconds, scope)
                )
            case "Parallel":
                output = states.worked(
                    state, raw, view, lambda given: self._run_branches(state, given, scope)
                )
            case "Pass":
                output = states.passed(state, raw, view)
            case kind:
                given = states.selected(state, "InputPath", raw, view)
                output = states.selected(state, "OutputPath", given, view)
                if kind == "Choice":
                    return output, states.chosen(state, given, view)
                if kind == "Wait":
                    waiting = states.waited(state, given, view, scope.clock.now())
                    self._tell(What.WAITS, name, seconds=waiting)
                    scope.pause(waiting)
        return output, None if is_end(state) else state["Next"]

    def _call(self, state: State, given: Any, seconds: int | None, scope: Scope) -> Any:
        resource, argument = state["Resource"], copy.deepcopy(given)

        def work(limit: Limit) -> Any:
            return self._tasks.call(resource, argument, limit)

        return copy.deepcopy(Call(work, f"task {resource}", seconds, scope).result())

    def _run_branches(self, state: State, given: Any, scope: Scope) -> list[Any]:
        bodies = [partial(self._branch_output, branch, given) for branch in state["Branches"]]
        try:
            return Branches(bodies, scope).results()
        except StateFailed as failure:
            failure.of_branch = True
            raise

    def _branch_output(self, branch: Machine, given: Any, scope: Scope) -> Any:
        return self.run(branch, given, scope).output

    def _tell(
        self,
        what: What,
        state: str,
        failure: StateFailed | None = None,
        seconds: float | None = None,
    ) -> None:
        self._told.tell(Event(what, state, failure, seconds))


def _caught(name: str, state: State, raw: Any, failure: StateFailed) -> tuple[Any, str]:
    """The output of the Catcher that takes an error, and where it goes; raises what none takes."""
    handler = catcher(state, failure)
    if handler is None:
        raise failure
    try:
        return states.combined(handler, raw, failure.output()), handler["Next"]
    except StateFailed as another:
        another.state = name
        raise
