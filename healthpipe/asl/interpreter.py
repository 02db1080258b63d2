"""What happens to the states of a run, told to whoever watches.

What the states of each type do with their input (specification, "State Types").

Runs a workflow in Amazon States Language in this process.
"""

import copy
import random as random_numbers
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from healthpipe.asl import paths
from healthpipe.asl.choice_rules import holds
from healthpipe.asl.concurrency import (
    Branches,
    Clock,
    Scope,
    SystemClock,
    TaskCall,
    format_timestamp,
)
from healthpipe.asl.definition import Machine, State, is_end
from healthpipe.asl.errors import (
    NO_CHOICE_MATCHED,
    RESULT_PATH_MATCH_FAILURE,
    RUNTIME,
    Retries,
    StateFailed,
    find_catcher,
)
from healthpipe.asl.expressions import EvaluationContext
from healthpipe.asl.paths import is_integer, timestamp
from healthpipe.cancellation import Deadline


class EventType(StrEnum):
    """What happened to a state."""

    ENTERED = "entered"
    WAITS = "waits"  # for `seconds`
    RETRIED = "retried"  # because of `failure`, after `seconds`
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # with `failure`, whether or not something catches it
    STOPPED = "stopped"  # before its end, because another branch failed or the run is given up


@dataclass(frozen=True)
class Event:
    """One thing that happened to a state."""

    what: EventType
    state: str
    failure: StateFailed | None = None
    seconds: float | None = None


Watcher = Callable[[Event], None]


class Told:
    """Tells one event after the other, and none once the run is over."""

    def __init__(self, watch: Watcher) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._is_over = False

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_over = True

    def tell(self, event: Event) -> None:
        """Pass on an event."""
        with self._lock:
            if not self._is_over:
                self._watch(event)


Work = Callable[[Any], Any]


def select_path(state: State, field: str, data: Any, view: EvaluationContext) -> Any:
    """The data as InputPath or OutputPath select it: all by default, `{}` for null."""
    path = state.get(field, "$")
    return {} if path is None else view.select(path, data)


def run_task(state: State, raw: Any, view: EvaluationContext, work: Work) -> Any:
    """The output of a state whose work makes a result of its effective input."""
    given = select_path(state, "InputPath", raw, view)
    if "Parameters" in state:
        given = view.fill(state["Parameters"], given)
    result = work(given)
    if "ResultSelector" in state:
        result = view.fill(state["ResultSelector"], result)
    return select_path(state, "OutputPath", apply_result_path(state, raw, result), view)


def apply_result_path(holder: Mapping[str, Any], raw: Any, result: Any) -> Any:
    """The raw input with a result at the ResultPath of a state or a Catcher; null drops it."""
    path = holder.get("ResultPath", "$")
    try:
        return raw if path is None else paths.parse(path).put(raw, result)
    except paths.PathNotFound as error:
        raise StateFailed(RESULT_PATH_MATCH_FAILURE, str(error)) from None


def pass_output(state: State, raw: Any, view: EvaluationContext) -> Any:
    """The output of a Pass state."""
    return run_task(state, raw, view, lambda given: state.get("Result", given))


def choose(state: State, given: Any, view: EvaluationContext) -> str:
    """The state that a Choice goes to: that of the first rule that holds, else the default."""
    for rule in state["Choices"]:
        if holds(rule, given, view):
            return str(rule["Next"])
    if "Default" not in state:
        raise StateFailed(NO_CHOICE_MATCHED, "no rule holds and there is no Default")
    return str(state["Default"])


def wait_seconds(state: State, given: Any, view: EvaluationContext, now: datetime) -> float:
    """The seconds that a Wait takes; 0 when its moment is past."""
    seconds, moment = state.get("Seconds"), state.get("Timestamp")
    if "SecondsPath" in state:
        seconds = _whole(state["SecondsPath"], given, view, least=0)
    if "TimestampPath" in state:
        moment = view.select(state["TimestampPath"], given)
    if seconds is not None:
        return float(seconds)
    until = timestamp(moment)
    if until is None:
        raise StateFailed(RUNTIME, f"{state['TimestampPath']} leads to no timestamp")
    return max(0.0, (until - now).total_seconds())


def task_timeout(state: State, raw: Any, view: EvaluationContext) -> int | None:
    """The seconds that a Task may take; None for as long as it likes.

    Step Functions' default, 99,999,999 s, is three years; the specification's is 60 s.
    """
    if "TimeoutSecondsPath" in state:
        given = select_path(state, "InputPath", raw, view)
        return _whole(state["TimeoutSecondsPath"], given, view, least=1)
    seconds: int | None = state.get("TimeoutSeconds")
    return seconds


def fail_state_error(state: State, raw: Any, view: EvaluationContext) -> StateFailed:
    """How a Fail state ends the machine."""
    return StateFailed(_told(state, "Error", raw, view), _told(state, "Cause", raw, view))


def _told(state: State, field: str, raw: Any, view: EvaluationContext) -> str:
    expression = state.get(f"{field}Path")
    if expression is None:
        return str(state.get(field, ""))
    try:
        told = view.evaluate(expression, raw)
    except paths.PathNotFound as error:
        raise StateFailed(RUNTIME, str(error)) from None
    if not isinstance(told, str):
        raise StateFailed(RUNTIME, f"{expression} leads to no text")
    return told


def _whole(path: str, data: Any, view: EvaluationContext, *, least: int) -> int:
    value = view.select(path, data)
    if not is_integer(value) or value < least:
        raise StateFailed(RUNTIME, f"{path} leads to no number of seconds")
    return int(value)


class Tasks(Protocol):
    """What Task states call."""

    def call(self, resource: str, argument: Any, limit: Deadline) -> Any:
        """The result of a task. Raises `StateFailed`.

        It runs in a thread of its own, and is to end when the limit is reached or cancelled; what
        it does later has no effect.
        """


@dataclass(frozen=True)
class MachineResult:
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

    def run(self, machine: Machine, data: Any) -> MachineResult:
        """Run a machine to its end.

        Raises `StateFailed`, and as it is whatever else a task raises or interrupts this thread;
        before, all tasks are told to stop and get a second to end.
        """
        start = self._clock.now()
        known = {
            "Input": data,
            "StartTime": format_timestamp(start),
            **self._context.get("Execution", {}),
        }
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

    def run(self, machine: Machine, data: Any, scope: Scope) -> MachineResult:
        """Run a machine or a branch."""
        name: str | None = machine["StartAt"]
        while name is not None:
            last, state = name, machine["States"][name]
            self._tell(EventType.ENTERED, last)
            try:
                data, name = self._visit(last, state, data, scope)
            except StateFailed as failure:
                failure.state = failure.state or last
                self._tell(EventType.FAILED, last, failure)
                data, name = _caught(last, state, data, failure)
            except BaseException:
                self._tell(EventType.STOPPED, last)
                raise
            else:
                self._tell(EventType.SUCCEEDED, last)
        return MachineResult(last, data)

    def _visit(self, name: str, state: State, data: Any, scope: Scope) -> tuple[Any, str | None]:
        """The output of a state, tried as often as its Retry says, and the name of the next."""
        entered = format_timestamp(scope.clock.now())
        retries = Retries(state, self._random)
        while True:
            scope.go_on()
            about = {"Name": name, "EnteredTime": entered, "RetryCount": retries.count}
            view = EvaluationContext({**self._context, "State": about}, self._random)
            try:
                return self._output(name, state, data, view, scope)
            except StateFailed as failure:
                seconds = retries.delay(failure)
                if seconds is None:
                    raise
                failure.state = failure.state or name
                self._tell(EventType.RETRIED, name, failure, seconds)
            scope.pause(seconds)

    def _output(
        self, name: str, state: State, raw: Any, view: EvaluationContext, scope: Scope
    ) -> tuple[Any, str | None]:
        match state["Type"]:
            case "Fail":
                raise fail_state_error(state, raw, view)
            case "Task":
                seconds = task_timeout(state, raw, view)
                output = run_task(
                    state, raw, view, lambda given: self._call(state, given, seconds, scope)
                )
            case "Parallel":
                output = run_task(
                    state, raw, view, lambda given: self._run_branches(state, given, scope)
                )
            case "Pass":
                output = pass_output(state, raw, view)
            case kind:
                given = select_path(state, "InputPath", raw, view)
                output = select_path(state, "OutputPath", given, view)
                if kind == "Choice":
                    return output, choose(state, given, view)
                if kind == "Wait":
                    waiting = wait_seconds(state, given, view, scope.clock.now())
                    self._tell(EventType.WAITS, name, seconds=waiting)
                    scope.pause(waiting)
        return output, None if is_end(state) else state["Next"]

    def _call(self, state: State, given: Any, seconds: int | None, scope: Scope) -> Any:
        resource, argument = state["Resource"], copy.deepcopy(given)

        def work(limit: Deadline) -> Any:
            return self._tasks.call(resource, argument, limit)

        return copy.deepcopy(TaskCall(work, f"task {resource}", seconds, scope).result())

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
        what: EventType,
        state: str,
        failure: StateFailed | None = None,
        seconds: float | None = None,
    ) -> None:
        self._told.tell(Event(what, state, failure, seconds))


def _caught(name: str, state: State, raw: Any, failure: StateFailed) -> tuple[Any, str]:
    """The output of the Catcher that takes an error, and where it goes; raises what none takes."""
    handler = find_catcher(state, failure)
    if handler is None:
        raise failure
    try:
        return apply_result_path(handler, raw, failure.output()), handler["Next"]
    except StateFailed as another:
        another.state = name
        raise
