"""The words of runs, of the workflow file and of its steps."""

from enum import StrEnum


class CallStatus(StrEnum):
    """What a call of a step came to; the workflow's choices look at it."""

    DONE = "DONE"
    RUNNING = "RUNNING"
    LOCKED = "LOCKED"
    UNCHANGED = "UNCHANGED"


class RunStatus(StrEnum):
    """How a run stands; `unchanged` is one that found nothing to do."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


# How a run ends that did what it was to do.
GOOD = (RunStatus.SUCCEEDED, RunStatus.UNCHANGED)
ORCHESTRATE = "orchestrate"
