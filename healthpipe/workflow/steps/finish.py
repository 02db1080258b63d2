"""The last steps of a run, of one that succeeded and of one that failed."""

import logging
from typing import Any

from healthpipe.publishing.prune import prune_published
from healthpipe.runs.attempts import abandon_unfinished
from healthpipe.workflow.ending import end_what_can_be
from healthpipe.workflow.lock import RootLock
from healthpipe.workflow.notifications import reason_of
from healthpipe.workflow.steps.context import Work
from healthpipe.workflow.words import RunStatus

log = logging.getLogger("healthpipe")


def finish(work: Work) -> dict[str, Any]:
    """Close the run's record, and remove published copies beyond those that are kept."""
    end = work.run.record.good_end
    removed: list[str] = []
    if end is RunStatus.SUCCEEDED:
        try:
            removed = [each.uri for each in prune_published(work.root, work.request.keep)]
        except OSError as error:  # those of the outside are; it is tried again by the next run
            log.warning("old published runs were not removed: %s", error)
    abandon_unfinished(work.run, but=work.attempt.step)
    end_what_can_be(work.run)
    work.run.finish(end)
    RootLock.of(work.root).give_back(work.run.run_id)
    return {"removed": removed}


def cleanup(work: Work) -> dict[str, Any]:
    """Give up what still runs here and elsewhere, close the run's record as failed, and give back
    the lock.
    """
    abandoned, stopped = [], []
    if work.run.exists:
        abandoned = abandon_unfinished(work.run)
        stopped = end_what_can_be(work.run)
        work.run.finish(RunStatus.FAILED, reason_of(work.error))
    RootLock.of(work.root).give_back(work.run.run_id)
    return {"abandoned": abandoned, "stopped": stopped}
