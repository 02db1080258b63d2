"""Draw a state machine: as text, as a Mermaid diagram, or as a document."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from healthpipe.asl.definition import Machine, State, Transition, is_end, machines, transitions

INDENT = "    "
_MERMAID_ID = re.compile(r"[A-Z]\w*", re.ASCII)
_MERMAID_SYNTAX = re.compile(r'[:;#"{}]')


def as_lines(machine: Machine, indent: str = "") -> Iterator[str]:
    """Yield a line for each state: its type, transitions, retried errors and timeout."""
    for name, state in machine["States"].items():
        facts = [*map(_transition_text, transitions(state))]
        if state.get("End"):
            facts.append("ends")
        facts += [f"retries {', '.join(each['ErrorEquals'])}" for each in state.get("Retry", [])]
        if "TimeoutSeconds" in state:
            facts.append(f"at most {state['TimeoutSeconds']} s")
        start = "start, " if name == machine["StartAt"] else ""
        yield f"{indent}{name} ({start}{state['Type']})" + (
            f": {'; '.join(facts)}" if facts else ""
        )
        for number, branch in enumerate(state.get("Branches", []), start=1):
            yield f"{indent}{INDENT}branch {number}"
            yield from as_lines(branch, indent + 2 * INDENT)


def as_mermaid(machine: Machine) -> Iterator[str]:
    """Yield the lines of a Mermaid state diagram."""
    names = [name for each in machines(machine) for name in each["States"]]
    ids = {
        name: name if _MERMAID_ID.fullmatch(name) else f"s{number}"
        for number, name in enumerate(names)
    }
    yield "stateDiagram-v2"
    for name, mermaid_id in ids.items():
        if name != mermaid_id:
            yield f'{INDENT}state "{_MERMAID_SYNTAX.sub(" ", name)}" as {mermaid_id}'
    yield from _mermaid_states(machine, ids, INDENT)


def as_document(machine: Machine) -> dict[str, Any]:
    """Return a JSON document of a machine's states, with their transitions and branches."""
    return {
        "start_at": machine["StartAt"],
        "states": [_state_document(name, state) for name, state in machine["States"].items()],
    }


def rule_text(rule: Mapping[str, Any]) -> str:
    """Format a Choice Rule as a condition, such as `$.n NumericEquals 1 and not (...)`."""
    for name in ("And", "Or"):
        if name in rule:
            joined = f" {name.lower()} ".join(map(rule_text, rule[name]))
            return f"({joined})"
    if "Not" in rule:
        return f"not {rule_text(rule['Not'])}"
    operator = next(name for name in rule if name not in ("Variable", "Next", "Comment"))
    operand = rule[operator]
    text = operand if operator.endswith("Path") else json.dumps(operand)
    return f"{rule['Variable']} {operator} {text}"


def _state_document(name: str, state: State) -> dict[str, Any]:
    ways_out = [
        {"field": each.field, "when": _condition(each), "target": each.target}
        for each in transitions(state)
    ]
    branches = [as_document(branch) for branch in state.get("Branches", [])]
    return {
        "name": name,
        "type": state["Type"],
        "is_end": is_end(state),
        "transitions": ways_out,
        "branches": branches,
    }


def _mermaid_states(machine: Machine, ids: Mapping[str, str], indent: str) -> Iterator[str]:
    yield f"{indent}[*] --> {ids[machine['StartAt']]}"
    for name, state in machine["States"].items():
        branches = state.get("Branches", [])
        if branches:
            yield f"{indent}state {ids[name]} {{"
            for number, branch in enumerate(branches):
                if number:
                    yield f"{indent}{INDENT}--"
                yield from _mermaid_states(branch, ids, indent + INDENT)
            yield f"{indent}}}"
        for transition in transitions(state):
            condition = _MERMAID_SYNTAX.sub(" ", _condition(transition) or "")
            label = f": {condition}" if condition else ""
            yield f"{indent}{ids[name]} --> {ids[transition.target]}{label}"
        if is_end(state):
            label = ": fails" if state["Type"] == "Fail" else ""
            yield f"{indent}{ids[name]} --> [*]{label}"


def _transition_text(transition: Transition) -> str:
    condition = _condition(transition)
    return f"{condition}: {transition.target}" if condition else f"then {transition.target}"


def _condition(transition: Transition) -> str | None:
    """Format when a transition is taken; None for always."""
    if transition.rule is None:
        return "else" if transition.field == "Default" else None
    if transition.field == "Catch":
        return f"on {', '.join(transition.rule['ErrorEquals'])}"
    return f"if {rule_text(transition.rule)}"
