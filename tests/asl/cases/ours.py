"""The cases, run by our interpreter in virtual time."""

from dataclasses import dataclass, field
from typing import Any

from healthpipe.asl import definition
from healthpipe.asl.errors import StateFailed
from healthpipe.asl.interpreter import EventType, Interpreter
from tests.asl.cases.building import CONTEXT, KNOWN, Echoes, Fails, Hangs
from tests.asl.cases.virtual_time import FakeClock


class FakeTasks:
    """Answers calls as a case says."""

    def __init__(self, scripts, clock):
        self.scripts = {name: list(outcomes) for name, outcomes in (KNOWN | scripts).items()}
        self.clock = clock

    def call(self, resource, argument, limit):
        script = self.scripts[resource.rpartition(":")[2]]
        match script.pop(0) if len(script) > 1 else script[0]:
            case Fails(error, cause):
                raise StateFailed(error, cause)
            case Hangs():
                self.clock.wait(limit.is_cancelled, None)
                return "too late"
            case Echoes():
                return argument
            case outcome:
                return outcome.value


@dataclass
class Observed:
    """What came of a case."""

    output: Any = None
    error: str | None = None
    cause: str = ""
    state: str | None = None
    path: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)


def observe(machine, data, tasks=None, *, scripts=None, clock=None, random=lambda: 0.5, **given):
    """Check a workflow, run it, and note all that is told of it."""
    definition.check(machine, "the workflow")
    clock = clock or FakeClock()
    observed = Observed()

    def watch(event):
        observed.events.append((event.state, str(event.what)))
        if event.what is EventType.ENTERED:
            observed.path.append(event.state)
        if event.seconds is not None:
            observed.delays.append(event.seconds)

    context = given.get("context", CONTEXT)
    doers = tasks or FakeTasks(scripts or {}, clock)
    interpreter = Interpreter(doers, context, clock=clock, random=random, watch=watch)
    try:
        ended = interpreter.run(machine, data)
    except StateFailed as failure:
        observed.error, observed.cause = failure.error, failure.cause
        observed.state = failure.state
    else:
        observed.output, observed.state = ended.output, ended.state
    return observed
