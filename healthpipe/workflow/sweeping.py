"""Clearing up after runs whose process ended without a word."""

from typing import Any

from healthpipe.stages.history import history
from healthpipe.stages.segments import DESCRIPTION
from healthpipe.storage.layout import Root
from healthpipe.workflow.attempts import abandon_unfinished
from healthpipe.workflow.liveness import Liveness
from healthpipe.workflow.record import RunRecord, utc_now
from healthpipe.workflow.runs import RECORD, Run, runs_of
from healthpipe.workflow.words import ORCHESTRATE, RunStatus

DIED = {
    "code": "died",
    "message": "the process ended without a word: killed, or the machine went down",
    "hint": "the system's log may tell why; the next run takes its place",
}
# Some commands write below state/ without the lock.
UNLOCKED_WRITER_S = 3600


def sweep(root: Root) -> list[RunRecord]:
    """Close the records of dead runs, and remove what they and dead writers left half done.

    Returns the records of the runs of the workflow that had been at work and are now closed. To
    be called by who holds the root's lock.
    """
    closed = [record for run in runs_of(root) if (record := _close_if_dead(run))]
    for folder in (root.production, root.curated):
        root.storage.delete_temporary(folder)
    root.storage.delete_temporary(root.state, idle_s=UNLOCKED_WRITER_S)
    return [record for record in closed if record.command == ORCHESTRATE]


def sweep_stages(root: Root) -> None:
    """The same for stages that were run by hand, which take no lock."""
    for run in runs_of(root):
        found = run.find_json(RECORD)
        if found and found[0]["command"] != ORCHESTRATE:
            _close_if_dead(run)


def _close_if_dead(run: Run) -> RunRecord | None:
    """Close a run that is dead and remove its leftovers; None if there was nothing to close."""
    if not Liveness.of(run.uri).take_if_dead():
        return None
    storage = run.root.storage
    closed: RunRecord | None = None
    if run.exists:
        abandon_unfinished(run)
        published = _published(run)
        if run.record.status == RunStatus.RUNNING:
            closed = run.change(lambda record: _close(record, published))
        if not published:
            storage.delete_folder(run.root.published(run.run_id))
    storage.delete_temporary(run.uri)
    segment = f"{run.root.curated}/{run.run_id}"
    if storage.stat(f"{segment}/{DESCRIPTION}") is None:
        storage.delete_folder(segment)
    run.let_go()
    if closed is None and not run.exists:
        storage.delete_folder(run.uri)
    return closed


def _published(run: Run) -> dict[str, Any] | None:
    """The pointer's document of a run that is live, or was before another one became so."""
    documents = (each for each in history(run.root) if each["run_id"] == run.run_id)
    return next(documents, None)


def _close(record: RunRecord, published: dict[str, Any] | None) -> None:
    """A run that died after it had flipped the pointer has done what matters."""
    if published:
        record.status, record.finished_at = RunStatus.SUCCEEDED, published["published_at"]
        record.details["production"] = published
        record.details["note"] = "the process ended after it had published"
    else:
        record.status, record.error, record.finished_at = RunStatus.FAILED, DIED, utc_now()
