"""The steps of the workflow by their names in the workflow file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from healthpipe.choices import PublishedStage
from healthpipe.workflow.steps.compute import curate, ingest, stage_step
from healthpipe.workflow.steps.context import StepContext
from healthpipe.workflow.steps.notify import alert_expiring, notify_failure, notify_success
from healthpipe.workflow.steps.release import audit, cleanup, finish, publish


@dataclass(frozen=True)
class Step:
    """How a step is performed.

    One that is `done_once` is not repeated in a retry of its run; one that is `after_failure`
    belongs to the failure branch and needs neither lock nor run.
    """

    perform: Callable[[StepContext], dict[str, Any]]
    done_once: bool = True
    after_failure: bool = False


STEPS = {
    "Ingest": Step(ingest),
    "Curate": Step(curate),
    "Extract": Step(stage_step(PublishedStage.EXTRACT)),
    "FilterExpiring": Step(stage_step(PublishedStage.FILTER_EXPIRING)),
    "StateCounts": Step(stage_step(PublishedStage.STATE_COUNTS)),
    "Audit": Step(audit, done_once=False),
    "Publish": Step(publish),
    "AlertExpiring": Step(alert_expiring),
    "NotifySuccess": Step(notify_success),
    "Finish": Step(finish, done_once=False),
    "Cleanup": Step(cleanup, done_once=False, after_failure=True),
    "NotifyFailure": Step(notify_failure, done_once=False, after_failure=True),
}
