"""Runs a workflow in Amazon States Language in this process."""

import copy
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any, Protocol

from healthpipe.workflow.definition import State

# The `ErrorEquals` name that stands for every error.
ALL_ERRORS = "States.ALL"
BRANCH_STOPPED = "States.BranchFailed"
PARAMETER_FAILURE = "States.ParameterPathFailure"
RESULT_FAILURE = "States.ResultPathMatchFailure"


class StateFailed(Exception):
    """A state failed with an error name and a cause, as the language knows them."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause

    def output(self) -> dict[str, str]:
        """What a Catch hands on."""
        return {"Error": self.error, "Cause": self.cause}


class Tasks(Protocol):
    """What Task states call."""

    def call(self, resource: str, argument: Any) -> Any:
        """The result of a task. Raises `StateFailed`."""

    def stop(self) -> None:
        """Make the calls that still run end early."""


Watcher = Callable[[str, str], None]


class Interpreter:
    """Runs checked workflows. `watch` is told each state's name as it is entered and left."""

    def __init__(
        self, tasks: Tasks, context: Mapping[str, Any], watch: Watcher = lambda *_: None
    ) -> None:
        self._tasks = tasks
        self._context = context
        self._watch = watch

    def run(self, machine: Mapping[str, Any], data: Any) -> Any:
        """The output of the machine for an input. Raises `StateFailed`."""
        return self._run(machine, data, threading.Event())

    def _run(self, machine: Mapping[str, Any], data: Any, stopped: threading.Event) -> Any:
        name: str | None = machine["StartAt"]
        while name is not None:
            if stopped.is_set():
                raise StateFailed(BRANCH_STOPPED, "another branch failed")
            state = machine["States"][name]
            self._watch(name, "entered")
            try:
                data, following = self._step(state, data)
            except StateFailed as failure:
                self._watch(name, "failed")
                catcher = _catcher(state, failure)
                if catcher is None:
                    raise
                data = _put(data, catcher.get("ResultPath", "$"), failure.output())
                following = catcher["Next"]
            else:
                self._watch(name, "succeeded")
            name = following
        return data

    def _step(self, state: State, data: Any) -> tuple[Any, str | None]:
        match state["Type"]:
            case "Task":
                argument = self._fill(state["Parameters"], data) if "Parameters" in state else data
                result = self._tasks.call(state["Resource"], argument)
            case "Parallel":
                result = self._run_branches(state["Branches"], data)
            case "Fail":
                raise StateFailed(state.get("Error", ""), state.get("Cause", ""))
            case _:
                return data, None
        return _put(data, state.get("ResultPath", "$"), result), state.get("Next")

    def _run_branches(self, branches: list[dict[str, Any]], data: Any) -> list[Any]:
        """All branches at once, each on its own copy; the first failure stops the others."""
        stopped = threading.Event()
        with ThreadPoolExecutor(max_workers=len(branches)) as pool:
            try:
                futures = [
                    pool.submit(self._run, branch, copy.deepcopy(data), stopped)
                    for branch in branches
                ]
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                stopped.set()
                self._tasks.stop()
                raise
            return [future.result() for future in futures]

    def _fill(self, template: Any, data: Any) -> Any:
        """A template with its `name.$` fields replaced by what their paths lead to."""
        if isinstance(template, list):
            return [self._fill(item, data) for item in template]
        if not isinstance(template, dict):
            return template
        filled = {}
        for key, value in template.items():
            if key.endswith(".$"):
                filled[key.removesuffix(".$")] = self._look_up(value, data)
            else:
                filled[key] = self._fill(value, data)
        return filled

    def _look_up(self, path: str, data: Any) -> Any:
        """What `$.a.b` finds in the data, or `$$.a.b` in the context object."""
        found = self._context if path.startswith("$$") else data
        for name in path.lstrip("$").split(".")[1:]:
            if not isinstance(found, Mapping) or name not in found:
                raise StateFailed(PARAMETER_FAILURE, f"{path} leads nowhere")
            found = found[name]
        return found


def _catcher(state: State, failure: StateFailed) -> dict[str, Any] | None:
    for catcher in state.get("Catch", []):
        if failure.error in catcher["ErrorEquals"] or ALL_ERRORS in catcher["ErrorEquals"]:
            found: dict[str, Any] = catcher
            return found
    return None


def _put(data: Any, path: str | None, result: Any) -> Any:
    """The data with a result at a ResultPath: null keeps the data, `$` is the result itself."""
    if path is None:
        return data
    if path == "$":
        return result
    if not isinstance(data, dict):
        raise StateFailed(RESULT_FAILURE, f"{path} has no place in what is no object")
    return {**data, path.removeprefix("$."): result}
