"""A workflow in Amazon States Language, read and checked.

Only what the interpreter does is accepted: a state type or a field that it does not know is an
error here, when the file is loaded, and never ignored.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

State = dict[str, Any]

_COMMON = {"Type", "Comment"}
_STEPPING = {"Next", "End", "ResultPath", "Catch"}
FIELDS = {
    "Task": _COMMON | _STEPPING | {"Resource", "Parameters"},
    "Parallel": _COMMON | _STEPPING | {"Branches"},
    "Succeed": _COMMON,
    "Fail": _COMMON | {"Error", "Cause"},
}
_RESULT_PATH = re.compile(r"\$(\.\w+)?")
_REFERENCE = re.compile(r"\$\$?(\.\w+)*")
MACHINE_FIELDS = {"Comment", "StartAt", "States"}
CATCHER_FIELDS = {"ErrorEquals", "Next", "ResultPath"}


class InvalidDefinition(ValueError):
    """The workflow is not one that the interpreter can run as it is meant."""


def pipeline_path() -> Path:
    """Where the project's workflow lies."""
    return Path(__file__).with_name("pipeline.asl.json")


def load(path: Path) -> dict[str, Any]:
    """The workflow of a file. Raises `InvalidDefinition`."""
    machine: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    check(machine, "the workflow")
    return machine


def check(machine: dict[str, Any], where: str) -> None:
    """Raise `InvalidDefinition` unless every field is known and every target is there."""
    _require(set(machine) <= MACHINE_FIELDS, where, "has unknown fields")
    _require({"StartAt", "States"} <= set(machine), where, "needs StartAt and States")
    states: dict[str, State] = machine["States"]
    for target in (machine["StartAt"], *_targets(states)):
        _require(target in states, where, f"has no state {target}")
    for name, state in states.items():
        _check_state(state, f"state {name}")


def _check_state(state: State, where: str) -> None:
    kind = state.get("Type")
    _require(kind in FIELDS, where, f"has the unsupported type {kind}")
    unknown = set(state) - FIELDS[str(kind)]
    _require(not unknown, where, f"has unsupported fields: {', '.join(sorted(unknown))}")
    if kind in ("Task", "Parallel"):
        ends = ("Next" in state) + (state.get("End") is True)
        _require(ends == 1, where, "needs either Next or End")
        _check_path(state.get("ResultPath"), where)
        for catcher in state.get("Catch", []):
            _require(set(catcher) <= CATCHER_FIELDS, where, "has a Catch with unknown fields")
            _require({"ErrorEquals", "Next"} <= set(catcher), where, "has a Catch without a target")
            _check_path(catcher.get("ResultPath"), where)
    if kind == "Task":
        _require("Resource" in state, where, "needs a Resource")
        _check_template(state.get("Parameters"), where)
    if kind == "Parallel":
        _require(bool(state.get("Branches")), where, "needs Branches")
    for number, branch in enumerate(state.get("Branches", []), start=1):
        check(branch, f"{where}, branch {number}")


def _check_path(path: Any, where: str) -> None:
    """Only `$`, `$.name` and null are understood as a ResultPath."""
    understood = path is None or (isinstance(path, str) and _RESULT_PATH.fullmatch(path))
    _require(bool(understood), where, f"has the unsupported path {path}")


def _check_template(template: Any, where: str) -> None:
    """Only paths like `$`, `$.a.b` and `$$.a.b` are understood in Parameters."""
    if isinstance(template, list):
        for item in template:
            _check_template(item, where)
    elif isinstance(template, dict):
        for key, value in template.items():
            if key.endswith(".$"):
                understood = isinstance(value, str) and _REFERENCE.fullmatch(value)
                _require(bool(understood), where, f"has the unsupported path {value}")
            else:
                _check_template(value, where)


def _targets(states: dict[str, State]) -> Iterator[str]:
    for state in states.values():
        if "Next" in state:
            yield state["Next"]
        for catcher in state.get("Catch", []):
            yield catcher.get("Next", "")


def _require(condition: bool, where: str, what: str) -> None:
    if not condition:
        raise InvalidDefinition(f"{where} {what}")
