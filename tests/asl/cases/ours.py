"""The cases, run by our interpreter in virtual time."""

from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from healthpipe.asl import definition
from healthpipe.asl.concurrency import Scope
from healthpipe.asl.errors import StateFailed
from healthpipe.asl.interpreter import Interpreter
from tests.asl.cases.building import CONTEXT, KNOWN, Echoes, Fails, Hangs
from tests.asl.cases.virtual_time import FakeClock


class FakeTasks:
    """Answers calls as a case says."""

    def __init__(self, scripts, clock):
        self.scripts = {name: list(outcomes) for name, outcomes in (KNOWN | scripts).items()}
        self.clock = clock

    def call(self, resource, argument, deadline):
        script = self.scripts[resource.rpartition(":")[2]]
        match script.pop(0) if len(script) > 1 else script[0]:
            case Fails(error, cause):
                raise StateFailed(error, cause)
            case Hangs():
                self.clock.wait(deadline.is_cancelled, None)
                return "too late"
            case Echoes():
                return argument
            case outcome:
                return outcome.value


class RecordingStates(dict):
    """The States of a machine, which note each state that is looked up: that is entered."""

    def __init__(self, states, path):
        super().__init__(states)
        self.path = path

    def __getitem__(self, name):
        self.path.append(name)
        return super().__getitem__(name)


def record_path(machine, path):
    """A copy of a machine that appends the states entered, those of branches too, to a list."""
    states = {
        name: state | {"Branches": [record_path(branch, path) for branch in state["Branches"]]}
        if "Branches" in state
        else state
        for name, state in machine["States"].items()
    }
    return machine | {"States": RecordingStates(states, path)}


@dataclass
class Observed:
    """What came of a case: output or error, last state, states entered, seconds slept."""

    output: Any = None
    error: str | None = None
    cause: str = ""
    state: str | None = None
    path: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)


def observe(machine, data, tasks=None, *, scripts=None, clock=None, random=lambda: 0.5, **given):
    """Check a workflow, run it, and note the states entered and the delays of retries and waits."""
    definition.check(machine, "the workflow")
    clock = clock or FakeClock()
    observed = Observed()
    sleep = Scope.sleep

    def noted_sleep(scope, seconds):
        observed.delays.append(seconds)
        sleep(scope, seconds)

    doers = tasks or FakeTasks(scripts or {}, clock)
    interpreter = Interpreter(doers, given.get("context", CONTEXT), clock=clock, random=random)
    try:
        # Neither a result nor the clock tells the delay of a wait that a timeout cuts short.
        with patch.object(Scope, "sleep", noted_sleep):
            result = interpreter.run(record_path(machine, observed.path), data)
    except StateFailed as failure:
        observed.error, observed.cause = failure.error, failure.cause
        observed.state = failure.state
    else:
        observed.output, observed.state = result.output, result.state
    return observed
