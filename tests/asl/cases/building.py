"""A case of the States Language as data, and short ways to spell the workflows of cases."""

from dataclasses import dataclass, field
from typing import Any

CONTEXT = {"Execution": {"Id": "run-7", "Name": "nightly"}}
START = "2026-11-20T06:00:00.000Z"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"


@dataclass(frozen=True)
class Returns:
    """A task that succeeds."""

    value: Any = 42


@dataclass(frozen=True)
class Echoes:
    """A task that returns its argument."""


@dataclass(frozen=True)
class Fails:
    """A task that fails."""

    error: str = "Transient"
    cause: str = "why"


@dataclass(frozen=True)
class Hangs:
    """A task that works until it is told to stop."""


KNOWN = {"answer": [Returns(42)], "echo": [Echoes()], "fail": [Fails()], "hang": [Hangs()]}


@dataclass(frozen=True)
class Case:
    """A workflow, what it is given, and what the specification's clause says comes of it.

    `tasks` are the outcomes of successive calls of a function, the last one for all that follow.
    `error` is the name of the error that ends the run, if one does. `path` are the states entered,
    `delays` the seconds of retries and Wait states. `ours` says why only our own clock or context
    can tell the result.
    """

    clause: str
    machine: dict[str, Any]
    data: Any = field(default_factory=dict)
    output: Any = None
    error: str | None = None
    path: tuple[str, ...] = ("First",)
    delays: tuple[float, ...] | None = None
    tasks: dict[str, list[Any]] = field(default_factory=dict)
    ours: str = ""


def ending(fields):
    return fields if "Next" in fields else {"End": True, **fields}


def task(function="answer", **fields):
    return {"Type": "Task", "Resource": f"{FUNCTION}{function}", **ending(fields)}


def pass_(**fields):
    return {"Type": "Pass", **ending(fields)}


def wait(**fields):
    return {"Type": "Wait", **ending(fields)}


def parallel(*branches, **fields):
    return {"Type": "Parallel", "Branches": list(branches), **ending(fields)}


def choice(*rules, **fields):
    return {"Type": "Choice", "Choices": list(rules), **fields}


def machine(first, **others):
    return {"StartAt": "First", "States": {"First": first, **others}}


def branch(name, first, **others):
    return {"StartAt": name, "States": {name: first, **others}}


def catch(*errors, to="Rescue", **fields):
    return {"ErrorEquals": list(errors), "Next": to, **fields}


def retry(*errors, **fields):
    return {"ErrorEquals": list(errors), **fields}


DONE = {"Type": "Succeed"}
