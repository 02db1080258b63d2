"""A workflow in Amazon States Language, read and checked.

Only what the interpreter does is accepted: a state type or a field that it does not know is an
error here, when the file is loaded, and never ignored.
"""

import json
from pathlib import Path
from typing import Any

from healthpipe.asl.validation import STATES, Fields, any_text, is_text, require, seconds
from healthpipe.workflow.language.errors import InvalidDefinition
from healthpipe.workflow.language.structure import State, all_states, transitions

VERSION = "1.0"
LONGEST_NAME = 80
_WAITS = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")


def _states(value: Any) -> None:
    require(isinstance(value, dict) and bool(value), "has no states")


def _version(value: Any) -> None:
    require(value == VERSION, f"is not {VERSION}")


_BRANCH = Fields(
    {"Comment": any_text, "StartAt": is_text, "States": _states}, required=("StartAt", "States")
)
_MACHINE = Fields(
    _BRANCH.known | {"Version": _version, "TimeoutSeconds": seconds}, _BRANCH.required
)


def load(path: Path) -> dict[str, Any]:
    """The workflow of a file. Raises `InvalidDefinition`."""
    try:
        machine: dict[str, Any] = json.loads(
            path.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_constant=_refuse
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidDefinition(f"the workflow is no JSON: {error}") from None
    check(machine, "the workflow")
    return machine


def check(machine: Any, where: str) -> None:
    """Raise `InvalidDefinition`, which says where, unless the machine can run as it is written."""
    _check_machine(machine, where, _MACHINE)
    seen: set[str] = set()
    for name, _ in all_states(machine):
        require(name not in seen, f"{where} has more than one state {name}")
        seen.add(name)


def _check_machine(machine: Any, where: str, fields: Fields) -> None:
    _located(where, fields.check, machine)
    states: dict[str, State] = machine["States"]
    require(machine["StartAt"] in states, f"{where} has no state {machine['StartAt']}")
    for name, state in states.items():
        place = f"{where}, state {name}"
        require(len(name) <= LONGEST_NAME, f"{place} has a name above {LONGEST_NAME} characters")
        _located(place, _check_state, state)
        for way in transitions(state):
            missing = f"{place} goes to {way.target}, which is not there"
            require(way.target in states, missing)
        for number, branch in enumerate(state.get("Branches", []), start=1):
            _check_machine(branch, f"{place}, branch {number}", _BRANCH)


def _check_state(state: Any) -> None:
    require(isinstance(state, dict), "is no object")
    kind = state.get("Type")
    require(isinstance(kind, str) and kind in STATES, f"has the unsupported type {kind}")
    STATES[kind].check(state)
    if "End" in STATES[kind].known:
        ends = ("Next" in state) + (state.get("End") is True)
        require(ends == 1, "needs either Next or End")
    if kind == "Wait":
        given = [name for name in _WAITS if name in state]
        require(len(given) == 1, f"needs exactly one of {', '.join(_WAITS)}")


def _located(where: str, check_it: Any, value: Any) -> None:
    try:
        check_it(value)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{where}: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different, as JSON itself does not demand."""
    found = dict(pairs)
    require(len(found) == len(pairs), "the workflow has an object with the same name twice")
    return found


def _refuse(constant: str) -> Any:
    raise InvalidDefinition(f"the workflow has {constant}, which is no JSON")
