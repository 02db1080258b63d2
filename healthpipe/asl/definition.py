"""Load and check state machine definitions; walk their transitions.

Only what the interpreter implements is accepted: a state type or a field that it does not know is
an error here, when the file is loaded, and never ignored.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthpipe.asl.errors import InvalidDefinition
from healthpipe.asl.validation import STATES, Fields, check_name, check_seconds, check_text, require

State = dict[str, Any]
Machine = Mapping[str, Any]
TERMINAL = ("Succeed", "Fail")


@dataclass(frozen=True)
class Transition:
    """A transition: the field that has it (Next, Default, Choices or Catch) and the next state.

    `rule` is the Choice Rule or the Catcher that it belongs to.
    """

    field: str
    target: str
    rule: Mapping[str, Any] | None = None


def transitions(state: State) -> Iterator[Transition]:
    """Yield a state's transitions, in the order of the definition."""
    for rule in state.get("Choices", []):
        yield Transition("Choices", rule["Next"], rule)
    for field in ("Default", "Next"):
        if field in state:
            yield Transition(field, state[field])
    for catcher in state.get("Catch", []):
        yield Transition("Catch", catcher["Next"], catcher)


def machines(machine: Machine) -> Iterator[Machine]:
    """Yield a machine and all branches in it, at any depth."""
    yield machine
    for state in machine["States"].values():
        for branch in state.get("Branches", []):
            yield from machines(branch)


def all_states(machine: Machine) -> Iterator[tuple[str, State]]:
    """Yield the name and the definition of each state, those of branches too."""
    for each in machines(machine):
        yield from each["States"].items()


def is_end(state: State) -> bool:
    """Tell whether a machine or branch ends with the state."""
    return state["Type"] in TERMINAL or state.get("End") is True


def reachable_states(machine: Machine, start: str, without: str | None = None) -> set[str]:
    """Return the states of a machine that can be reached from `start`, which is one of them.

    Branches are not entered. With `without`, transitions through that state do not count.
    """
    found: set[str] = set()
    remaining = [start]
    while remaining:
        name = remaining.pop()
        if name not in found and name != without:
            found.add(name)
            remaining += [each.target for each in transitions(machine["States"][name])]
    return found


def unreachable_states(machine: Machine) -> Iterable[str]:
    """Yield the states that are never reached, in a machine and in its branches."""
    for each in machines(machine):
        reachable = reachable_states(each, each["StartAt"])
        yield from (name for name in each["States"] if name not in reachable)


def states_without_end(machine: Machine) -> Iterable[str]:
    """Yield the states from which no end is reached, in a machine and in its branches."""
    for each in machines(machine):
        ends = {name for name, state in each["States"].items() if is_end(state)}
        yield from (name for name in each["States"] if not ends & reachable_states(each, name))


VERSION = "1.0"
MAX_NAME_CHARACTERS = 80
_WAIT_FIELDS = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")


def _check_states(value: Any) -> None:
    require(isinstance(value, dict) and bool(value), "has no states")


def _check_version(value: Any) -> None:
    require(value == VERSION, f"is not {VERSION}")


_BRANCH = Fields(
    {"Comment": check_text, "StartAt": check_name, "States": _check_states},
    required=("StartAt", "States"),
)
_MACHINE = Fields(
    _BRANCH.checks | {"Version": _check_version, "TimeoutSeconds": check_seconds}, _BRANCH.required
)


def load(path: Path) -> dict[str, Any]:
    """Load and check a definition from a JSON file. Raises `InvalidDefinition` and `OSError`."""
    try:
        machine: dict[str, Any] = json.loads(
            path.read_text(encoding="utf-8"),
            object_pairs_hook=_unique_names,
            parse_constant=_refuse_constant,
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidDefinition(f"the workflow is no JSON: {error}") from None
    check(machine, "the workflow")
    return machine


def check(machine: Any, where: str) -> None:
    """Check a machine with its branches. Raises `InvalidDefinition`, which begins with `where`."""
    _check_machine(machine, where, _MACHINE)
    names: set[str] = set()
    for name, _ in all_states(machine):
        require(name not in names, f"{where} has more than one state {name}")
        names.add(name)


def _check_machine(machine: Any, where: str, fields: Fields) -> None:
    _check_at(where, fields.check, machine)
    states: dict[str, State] = machine["States"]
    require(machine["StartAt"] in states, f"{where} has no state {machine['StartAt']}")
    for name, state in states.items():
        place = f"{where}, state {name}"
        require(
            len(name) <= MAX_NAME_CHARACTERS,
            f"{place} has a name above {MAX_NAME_CHARACTERS} characters",
        )
        _check_at(place, _check_state, state)
        for transition in transitions(state):
            target = transition.target
            require(target in states, f"{place} goes to {target}, which is not there")
        for number, branch in enumerate(state.get("Branches", []), start=1):
            _check_machine(branch, f"{place}, branch {number}", _BRANCH)


def _check_state(state: Any) -> None:
    require(isinstance(state, dict), "is no object")
    state_type = state.get("Type")
    is_known = isinstance(state_type, str) and state_type in STATES
    require(is_known, f"has the unsupported type {state_type}")
    STATES[state_type].check(state)
    if "End" in STATES[state_type].checks:
        ends = ("Next" in state) + (state.get("End") is True)
        require(ends == 1, "needs either Next or End")
    if state_type == "Wait":
        present = [name for name in _WAIT_FIELDS if name in state]
        require(len(present) == 1, f"needs exactly one of {', '.join(_WAIT_FIELDS)}")


def _check_at(where: str, check_value: Callable[[Any], None], value: Any) -> None:
    """Check a value; the message of what it raises begins with `where`."""
    try:
        check_value(value)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{where}: {error}") from None


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Create an object whose names are all different, as JSON itself does not demand."""
    created = dict(pairs)
    require(len(created) == len(pairs), "the workflow has an object with the same name twice")
    return created


def _refuse_constant(constant: str) -> Any:
    raise InvalidDefinition(f"the workflow has {constant}, which is no JSON")
