"""A workflow drawn: as lines for a person, as a Mermaid diagram, or as a document."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from healthpipe.asl.definition import Machine, State, Transition, is_end, machines, transitions

INDENT = "    "
_PLAIN = re.compile(r"[A-Z]\w*", re.ASCII)
_MARKS = re.compile(r'[:;#"{}]')


def as_lines(machine: Machine, indent: str = "") -> Iterator[str]:
    """A line for each state: its type, what comes after it, its retries and its time."""
    for name, state in machine["States"].items():
        told = [*map(_way, transitions(state))]
        if state.get("End"):
            told.append("ends")
        told += [f"retries {', '.join(each['ErrorEquals'])}" for each in state.get("Retry", [])]
        if "TimeoutSeconds" in state:
            told.append(f"at most {state['TimeoutSeconds']} s")
        start = "start, " if name == machine["StartAt"] else ""
        yield f"{indent}{name} ({start}{state['Type']})" + (f": {'; '.join(told)}" if told else "")
        for number, branch in enumerate(state.get("Branches", []), start=1):
            yield f"{indent}{INDENT}branch {number}"
            yield from as_lines(branch, indent + 2 * INDENT)


def as_mermaid(machine: Machine) -> Iterator[str]:
    """The lines of a Mermaid state diagram."""
    names = [name for each in machines(machine) for name in each["States"]]
    ids = {
        name: name if _PLAIN.fullmatch(name) else f"s{number}" for number, name in enumerate(names)
    }
    yield "stateDiagram-v2"
    for name, short in ids.items():
        if name != short:
            yield f'{INDENT}state "{_MARKS.sub(" ", name)}" as {short}'
    yield from _diagram(machine, ids, INDENT)


def as_document(machine: Machine) -> dict[str, Any]:
    """The states of a machine, their ways out and their branches."""
    return {
        "start_at": machine["StartAt"],
        "states": [_state_document(name, state) for name, state in machine["States"].items()],
    }


def condition(rule: Mapping[str, Any]) -> str:
    """A choice rule as it would be said."""
    for word in ("And", "Or"):
        if word in rule:
            joined = f" {word.lower()} ".join(map(condition, rule[word]))
            return f"({joined})"
    if "Not" in rule:
        return f"not {condition(rule['Not'])}"
    operator = next(name for name in rule if name not in ("Variable", "Next", "Comment"))
    asked = rule[operator]
    told = asked if operator.endswith("Path") else json.dumps(asked)
    return f"{rule['Variable']} {operator} {told}"


def _state_document(name: str, state: State) -> dict[str, Any]:
    ways = [
        {"field": way.field, "when": _when(way), "target": way.target} for way in transitions(state)
    ]
    branches = [as_document(branch) for branch in state.get("Branches", [])]
    return {
        "name": name,
        "type": state["Type"],
        "is_end": is_end(state),
        "transitions": ways,
        "branches": branches,
    }


def _diagram(machine: Machine, ids: Mapping[str, str], indent: str) -> Iterator[str]:
    yield f"{indent}[*] --> {ids[machine['StartAt']]}"
    for name, state in machine["States"].items():
        branches = state.get("Branches", [])
        if branches:
            yield f"{indent}state {ids[name]} {{"
            for number, branch in enumerate(branches):
                if number:
                    yield f"{indent}{INDENT}--"
                yield from _diagram(branch, ids, indent + INDENT)
            yield f"{indent}}}"
        for way in transitions(state):
            when = _MARKS.sub(" ", _when(way) or "")
            label = f": {when}" if when else ""
            yield f"{indent}{ids[name]} --> {ids[way.target]}{label}"
        if is_end(state):
            label = ": fails" if state["Type"] == "Fail" else ""
            yield f"{indent}{ids[name]} --> [*]{label}"


def _way(way: Transition) -> str:
    when = _when(way)
    return f"{when}: {way.target}" if when else f"then {way.target}"


def _when(way: Transition) -> str | None:
    """When a way is taken; None for always."""
    if way.rule is None:
        return "else" if way.field == "Default" else None
    if way.field == "Catch":
        return f"on {', '.join(way.rule['ErrorEquals'])}"
    return f"if {condition(way.rule)}"
