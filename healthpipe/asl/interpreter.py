"""The interpreter of Amazon States Language: runs a checked definition in this process."""

import copy
import random as random_numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from healthpipe.asl.concurrency import (
    Clock,
    ParallelBranches,
    Scope,
    SystemClock,
    TaskCall,
    format_timestamp,
)
from healthpipe.asl.definition import Machine, State, is_end
from healthpipe.asl.errors import Retries, StateFailed
from healthpipe.asl.expressions import EvaluationContext
from healthpipe.asl.states import (
    catch_failure,
    choose_next,
    fail_state_error,
    pass_output,
    process_input_output,
    select_path,
    task_timeout,
    wait_seconds,
)
from healthpipe.cancellation import Deadline


class Tasks(Protocol):
    """The resources that Task states call."""

    def call(self, resource: str, argument: Any, deadline: Deadline) -> Any:
        """Call a resource and return its result. Raises `StateFailed`.

        It runs in a thread of its own, and is to end when the deadline is reached or cancelled;
        what it does later has no effect.
        """


@dataclass(frozen=True)
class MachineResult:
    """The last state of a machine or a branch that succeeded, and its output."""

    state: str
    output: Any


class Interpreter:
    """Runs checked definitions.

    `context` is the context object, `$$`, without what the interpreter adds: State, and where the
    caller does not give them Execution's Input and StartTime. `random` returns numbers from 0 to 1,
    for jitter and `States.MathRandom`.
    """

    def __init__(
        self,
        tasks: Tasks,
        context: Mapping[str, Any],
        *,
        clock: Clock | None = None,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self._tasks = tasks
        self._context = context
        self._clock = clock or SystemClock()
        self._random = random

    def run(self, machine: Machine, data: Any) -> MachineResult:
        """Run a machine to its end.

        Raises `StateFailed`, and as it is whatever else a task raises or interrupts this thread;
        before, all tasks are cancelled and get a second to end.
        """
        start = self._clock.now()
        execution_fields = {
            "Input": data,
            "StartTime": format_timestamp(start),
            **self._context.get("Execution", {}),
        }
        timeout = machine.get("TimeoutSeconds")
        end = None if timeout is None else start + timedelta(seconds=timeout)
        context = {**self._context, "Execution": execution_fields}
        execution = _Execution(self._tasks, context, self._random)
        return execution.run(machine, data, Scope(self._clock, end))


class _Execution:
    """One execution of a machine."""

    def __init__(
        self, tasks: Tasks, context: Mapping[str, Any], random: Callable[[], float]
    ) -> None:
        self._tasks = tasks
        self._context = context
        self._random = random

    def run(self, machine: Machine, data: Any, scope: Scope) -> MachineResult:
        """Run a machine or a branch, state by state."""
        next_name: str | None = machine["StartAt"]
        while next_name is not None:
            name, state = next_name, machine["States"][next_name]
            try:
                data, next_name = self._run_state(name, state, data, scope)
            except StateFailed as failure:
                failure.state = failure.state or name
                data, next_name = catch_failure(name, state, data, failure)
        return MachineResult(name, data)

    def _run_state(
        self, name: str, state: State, raw_input: Any, scope: Scope
    ) -> tuple[Any, str | None]:
        """Run a state with its retries. Returns its output and the next state, None at the end."""
        entered = format_timestamp(scope.clock.now())
        retries = Retries(state, self._random)
        while True:
            scope.raise_if_over()
            state_fields = {"Name": name, "EnteredTime": entered, "RetryCount": retries.count}
            context = {**self._context, "State": state_fields}
            evaluation = EvaluationContext(context, self._random)
            try:
                return self._attempt_state(state, raw_input, evaluation, scope)
            except StateFailed as failure:
                seconds = retries.delay(failure)
                if seconds is None:
                    raise
            scope.sleep(seconds)

    def _attempt_state(
        self, state: State, raw_input: Any, evaluation: EvaluationContext, scope: Scope
    ) -> tuple[Any, str | None]:
        """Run a state once. Returns its output and the next state, None at the end."""
        match state["Type"]:
            case "Fail":
                raise fail_state_error(state, raw_input, evaluation)
            case "Task":
                timeout = task_timeout(state, raw_input, evaluation)
                call_task = partial(self._call_task, state, timeout, scope)
                output = process_input_output(state, raw_input, evaluation, call_task)
            case "Parallel":
                run_branches = partial(self._run_branches, state, scope)
                output = process_input_output(state, raw_input, evaluation, run_branches)
            case "Pass":
                output = pass_output(state, raw_input, evaluation)
            case state_type:
                effective_input = select_path(state, "InputPath", raw_input, evaluation)
                output = select_path(state, "OutputPath", effective_input, evaluation)
                if state_type == "Choice":
                    return output, choose_next(state, effective_input, evaluation)
                if state_type == "Wait":
                    now = scope.clock.now()
                    scope.sleep(wait_seconds(state, effective_input, evaluation, now))
        return output, None if is_end(state) else state["Next"]

    def _call_task(
        self, state: State, timeout: int | None, scope: Scope, effective_input: Any
    ) -> Any:
        resource, argument = state["Resource"], copy.deepcopy(effective_input)

        def call(deadline: Deadline) -> Any:
            return self._tasks.call(resource, argument, deadline)

        return copy.deepcopy(TaskCall(call, f"task {resource}", timeout, scope).result())

    def _run_branches(self, state: State, scope: Scope, effective_input: Any) -> list[Any]:
        branches = [
            partial(self._branch_output, branch, effective_input) for branch in state["Branches"]
        ]
        try:
            return ParallelBranches(branches, scope).results()
        except StateFailed as failure:
            failure.is_from_branch = True
            raise

    def _branch_output(self, branch: Machine, branch_input: Any, scope: Scope) -> Any:
        return self.run(branch, branch_input, scope).output
