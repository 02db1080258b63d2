"""How the states of a workflow hang together: who follows whom, who is reached, who gets out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
