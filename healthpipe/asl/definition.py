"""How the states of a workflow hang together: who follows whom, who is reached, who gets out.

A workflow in Amazon States Language, read and checked.

Only what the interpreter does is accepted: a state type or a field that it does not know is an
error here, when the file is loaded, and never ignored.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthpipe.asl.errors import InvalidDefinition
from healthpipe.asl.validation import STATES, Fields, any_text, is_text, require, seconds

State = dict[str, Any]
Machine = Mapping[str, Any]
TERMINAL = ("Succeed", "Fail")


@dataclass(frozen=True)
class Transition:
    """A way from one state to another: its field (Next, Default, Choices or Catch) and target.

    `rule` is the choice rule or the catcher that it belongs to.
    """

    field: str
    target: str
    rule: Mapping[str, Any] | None = None


def transitions(state: State) -> Iterator[Transition]:
    """All ways out of a state, as the definition lists them."""
    for rule in state.get("Choices", []):
        yield Transition("Choices", rule["Next"], rule)
    for field in ("Default", "Next"):
        if field in state:
            yield Transition(field, state[field])
    for catcher in state.get("Catch", []):
        yield Transition("Catch", catcher["Next"], catcher)


def machines(machine: Machine) -> Iterator[Machine]:
    """The machine and all branches in it."""
    yield machine
    for state in machine["States"].values():
        for branch in state.get("Branches", []):
            yield from machines(branch)


def all_states(machine: Machine) -> Iterator[tuple[str, State]]:
    """The name and the definition of each state, those of branches too."""
    for each in machines(machine):
        yield from each["States"].items()


def is_end(state: State) -> bool:
    """Whether a machine or branch ends with the state."""
    return state["Type"] in TERMINAL or state.get("End") is True


def reached(machine: Machine, start: str, without: str | None = None) -> set[str]:
    """The states of this machine, its branches not looked into, that `start` leads to.

    `start` is one of them. What only `without` leads to is not, nor is that state itself.
    """
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found and name != without:
            found.add(name)
            waiting += [each.target for each in transitions(machine["States"][name])]
    return found


def unreachable(machine: Machine) -> Iterable[str]:
    """The states that no way leads to, in this machine and in its branches."""
    for each in machines(machine):
        known = reached(each, each["StartAt"])
        yield from (name for name in each["States"] if name not in known)


def endless(machine: Machine) -> Iterable[str]:
    """The states from which no way leads to an end, in this machine and in its branches."""
    for each in machines(machine):
        ends = {name for name, state in each["States"].items() if is_end(state)}
        yield from (name for name in each["States"] if not ends & reached(each, name))


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
