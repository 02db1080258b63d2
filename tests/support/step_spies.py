"""Spies on the steps of the workflow: count them, make them fail or pause."""

from dataclasses import replace
from types import SimpleNamespace

from healthpipe.errors import OutOfTime
from healthpipe.workflow import step_runner


def spy_on_steps(monkeypatch) -> SimpleNamespace:
    """Replace each step of the workflow by a spy that calls it.

    Returns the spies' settings: `names` lists the steps that ran, in order; `failing` maps a name
    to the error that its step raises, `before` to a function that is called first, `pausing` to how
    often the step first runs out of time, with progress noted each time.
    """
    watched = SimpleNamespace(names=[], failing={}, pausing={}, before={})

    def watch(name, step):
        def perform(work):
            watched.names.append(name)
            watched.before.get(name, lambda: None)()
            if name in watched.failing:
                raise watched.failing[name]
            if watched.pausing.get(name):
                watched.pausing[name] -= 1
                work.attempt.notes["left"] = watched.pausing[name]
                raise OutOfTime
            return step.perform(work)

        return replace(step, perform=perform)

    for name, step in list(step_runner.STEPS.items()):
        monkeypatch.setitem(step_runner.STEPS, name, watch(name, step))
    return watched
