"""What a run has left running elsewhere, ended by whoever goes on with the run or closes it.

Clearing up after runs whose process ended without a word.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from healthpipe.aws.session import AthenaSettings, AwsAccess
from healthpipe.choices import EngineName
from healthpipe.engines import drop_run_tables, stop_queries
from healthpipe.errors import HealthpipeError
from healthpipe.publishing.pointer import history
from healthpipe.runs.attempts import Attempt, abandon_unfinished, begun_steps
from healthpipe.runs.locks import locked_runs
from healthpipe.runs.record import (
    ORCHESTRATE,
    QUERIES,
    RunRecord,
    RunStatus,
    unended,
    utc_now,
    with_ended,
)
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.stages.segments import DESCRIPTION
from healthpipe.storage.layout import Root

log = logging.getLogger("healthpipe")
ATHENA = "athena"


def stop_run_queries(run: Run) -> list[str]:
    """Stop the queries of a run of which nobody has seen the end, and drop its tables.

    Returns the ids of the queries. Raises `UsageError` or `ServiceFailed` where AWS does not do it.
    """
    record = run.record
    if record.engine != EngineName.ATHENA:
        return []
    # Whoever ends it may have another profile; but queries are known where they were started.
    settings = athena_settings(record)
    region = settings.access.region or run.root.access.region
    settings = replace(settings, access=replace(run.root.access, region=region))
    notes = [attempt.notes for step in begun_steps(run) if (attempt := Attempt.last(run, step))]
    ids = [query_id for each in (*notes, record.details) for query_id in unended(each)]
    stop_queries(settings, ids)
    drop_run_tables(settings, run.run_id)
    return ids


def try_stop_run_queries(run: Run) -> list[str]:
    """The same where something else has failed, which must not be hidden: what fails is said."""
    try:
        return stop_run_queries(run)
    except HealthpipeError as error:
        log.warning("queries of run %s may still be running: %s", run.run_id, error)
        return []


def stop_attempt_queries(attempt: Attempt, settings: AthenaSettings) -> None:
    """Stop what earlier attempts at a step have left running, before this one starts anything."""
    for query_id, state, scanned in stop_queries(settings, unended(attempt.notes)):
        attempt.notes[QUERIES] = with_ended(attempt.notes, query_id, state, scanned)


def athena_settings(record: RunRecord) -> AthenaSettings:
    """The settings that the queries of a run were started with."""
    if "request" in record.details:
        return RunRequest.from_json(record.details["request"]).athena()
    document: dict[str, Any] = record.details[ATHENA]
    return AthenaSettings(**{**document, "access": AwsAccess(**document["access"])})


DIED = {
    "code": "died",
    "message": "the process ended without a word: killed, or the machine went down",
    "hint": "the system's log may tell why; the next run takes its place",
}
# Some commands write below state/ without the lock.
UNLOCKED_WRITER_S = 3600


def sweep(root: Root, tell: Callable[[Run], None]) -> None:
    """Close the records of dead runs, and remove what they and dead writers left half done.

    `tell` is called for each run of the workflow that had been at work, before it is closed: killed
    in between, it is called again. To be called by who holds the root's lock.
    """
    for run in _locked_runs(root):
        record = run.find_record()
        # Whoever works on a run of the workflow holds the lock, and that are we.
        is_certain = record is not None and record.command == ORCHESTRATE
        if run.lock.acquire_if_dead(is_certain=is_certain):
            _close(run, run.find_record(), tell)
    for folder in (root.production, root.curated):
        root.storage.delete_temporary(folder)
    root.storage.delete_temporary(root.state, idle_s=UNLOCKED_WRITER_S)


def sweep_stages(root: Root) -> None:
    """The same for stages that were run by hand, which take no lock."""
    for run in _locked_runs(root):
        record = run.find_record()
        if record and record.command != ORCHESTRATE and run.lock.acquire_if_dead():
            _close(run, run.find_record())


def _locked_runs(root: Root) -> Iterator[Run]:
    """The runs that a process works on, or did when it died."""
    return (Run(root, run_id) for run_id in locked_runs(root))


def _close(run: Run, record: RunRecord | None, tell: Callable[[Run], None] | None = None) -> None:
    """Close the record of a dead run that is held now, and remove its leftovers.

    `tell` is called if it was a run of the workflow, at work, that had not published.
    """
    storage = run.root.storage
    if record:
        abandon_unfinished(run)
        stop_run_queries(run)
        published = _published(run)
        if record.status == RunStatus.RUNNING:
            if tell and record.command == ORCHESTRATE and not published:
                tell(run)
            run.change(lambda record: _tell_end(record, published))
        if not published:
            storage.delete_folder(run.root.published(run.run_id))
    storage.delete_temporary(run.uri)
    storage.delete_folder(run.attempts)
    segment = f"{run.root.curated}/{run.run_id}"
    if storage.stat(f"{segment}/{DESCRIPTION}") is None:
        storage.delete_folder(segment)
    run.release()
    if not run.exists:  # it was dead before its first record
        storage.delete_folder(run.uri)


def _published(run: Run) -> dict[str, Any] | None:
    """The pointer's document of a run that is live, or was before another one became so."""
    documents = (each for each in history(run.root) if each["run_id"] == run.run_id)
    return next(documents, None)


def _tell_end(record: RunRecord, published: dict[str, Any] | None) -> None:
    """A run that died after it had flipped the pointer has done what matters."""
    if published:
        record.status, record.finished_at = RunStatus.SUCCEEDED, published["published_at"]
        record.details["production"] = published
        record.details["note"] = "the process ended after it had published"
    else:
        record.status, record.error, record.finished_at = RunStatus.FAILED, DIED, utc_now()
