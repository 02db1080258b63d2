"""The steps of the workflow, watched, and made to fail or to pause."""

from dataclasses import replace
from types import SimpleNamespace

from healthpipe.errors import OutOfTime
from healthpipe.workflow.steps import catalog


def watch_steps(monkeypatch) -> SimpleNamespace:
    """`names` are those of the steps that are done, in order.

    `failing` maps names to what these steps raise, `before` to what is called first; `pausing` to
    how often they first run out of time, with something done each time.
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

    for name, step in list(catalog.STEPS.items()):
        monkeypatch.setitem(catalog.STEPS, name, watch(name, step))
    return watched
