"""Clean up after runs whose process died, and stop the queries that a run has left on Athena."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import EngineName
from healthpipe.engines import drop_run_tables, stop_queries
from healthpipe.errors import HealthpipeError
from healthpipe.publishing.pointer import PublishedRun, history
from healthpipe.runs.attempts import Attempt, abandon_unfinished, begun_steps
from healthpipe.runs.locks import locked_runs
from healthpipe.runs.record import (
    ORCHESTRATE,
    RunRecord,
    RunStatus,
    recorded_queries,
    unended_ids,
    utc_now,
    with_ended,
)
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.stages.segments import DESCRIPTION, MERGED
from healthpipe.storage.layout import Root

log = logging.getLogger("healthpipe")
# The error of a run whose process died, as its record and the alert have it.
DIED = {
    "code": "died",
    "message": "the process ended without a word: killed, or the machine went down",
    "hint": "the system's log may tell why; the next run takes its place",
}
# Some commands write below state/ without the root's lock: what they write on S3 is younger.
UNLOCKED_WRITER_S = 3600


def stop_run_queries(run: Run) -> list[str]:
    """Stop the queries of a run whose end nobody has seen, and drop its tables.

    Returns the ids of the queries. Raises `UsageError` or `ServiceFailed` where AWS does not do it.
    """
    record = run.record
    if record.engine != EngineName.ATHENA:
        return []
    # This process may use another profile than the run, but a query exists in its region only.
    settings = athena_settings(record)
    region = settings.access.region or run.root.access.region
    settings = replace(settings, access=replace(run.root.access, region=region))
    attempts = (Attempt.last(run, step) for step in begun_steps(run))
    queries = [query for attempt in attempts if attempt for query in attempt.queries]
    ids = unended_ids([*queries, *recorded_queries(record.details)])
    stop_queries(settings, ids)
    drop_run_tables(settings, run.run_id)
    return ids


def try_stop_run_queries(run: Run) -> list[str]:
    """Stop the queries of a run where something else has failed, which a failure must not hide.

    Failures are logged.
    """
    try:
        return stop_run_queries(run)
    except HealthpipeError as error:
        log.warning("queries of run %s may still be running: %s", run.run_id, error)
        return []


def stop_attempt_queries(attempt: Attempt, settings: AthenaSettings) -> None:
    """Stop the queries that earlier attempts have left running, before this one starts any."""
    for query_id, state, scanned in stop_queries(settings, unended_ids(attempt.queries)):
        attempt.queries = with_ended(attempt.queries, query_id, state, scanned)


def athena_settings(record: RunRecord) -> AthenaSettings:
    """The settings that the queries of a run were started with."""
    if record.request is not None:
        return RunRequest.from_json(record.request).athena()
    return record.athena or AthenaSettings()


def sweep(root: Root, notify: Callable[[Run], None]) -> None:
    """Close the records of dead runs, and remove temporary files of theirs and of dead writers.

    `notify` is called for each dead run of the workflow that had not ended, before its record is
    closed: after a kill in between it is called again. The caller must hold the root's lock.
    """
    for run in _locked_runs(root):
        record = run.find_record()
        # A run of the workflow that is alive holds the root's lock, which the caller has.
        is_certain = record is not None and record.command == ORCHESTRATE
        if run.lock.acquire_if_dead(is_certain=is_certain):
            _close(run, run.find_record(), notify)
    root.storage.delete_temporary(root.production)
    for folder in (root.curated, root.state):
        root.storage.delete_temporary(folder, idle_s=UNLOCKED_WRITER_S)


def sweep_stages(root: Root) -> None:
    """Close the records of dead stages that were run by hand, and remove what they were writing.

    The root's lock is not needed.
    """
    for run in _locked_runs(root):
        record = run.find_record()
        if record and record.command != ORCHESTRATE and run.lock.acquire_if_dead():
            _close(run, run.find_record())
    if not root.is_remote:  # where that takes requests, the next run of the workflow does it
        root.storage.delete_temporary(root.state, idle_s=UNLOCKED_WRITER_S)


def _locked_runs(root: Root) -> Iterator[Run]:
    """The runs that a process works on, or did when it died."""
    return (Run(root, run_id) for run_id in locked_runs(root))


def _close(run: Run, record: RunRecord | None, notify: Callable[[Run], None] | None = None) -> None:
    """Close the record of a dead run whose lock is ours now, and remove its leftovers.

    `notify` is called if it was a run of the workflow that had neither ended nor published.
    """
    storage = run.root.storage
    if record:
        abandon_unfinished(run)
        stop_run_queries(run)
        published = _find_published(run)
        if record.status == RunStatus.RUNNING:
            if notify and record.command == ORCHESTRATE and not published:
                notify(run)
            run.change(lambda record: _close_record(record, published))
        if not published:
            storage.delete_folder(run.root.published(run.run_id))
    storage.delete_temporary(run.uri)
    storage.delete_folder(run.attempts)
    for name in (run.run_id, f"{run.run_id}{MERGED}"):
        segment = f"{run.root.curated}/{name}"
        if storage.stat(f"{segment}/{DESCRIPTION}") is None:
            storage.delete_folder(segment)
    run.release()
    if not run.exists:  # it died before its first record
        storage.delete_folder(run.uri)


def _find_published(run: Run) -> PublishedRun | None:
    """The newest generation of the pointer that has published a run; None if none has."""
    return next((each for each in history(run.root) if each.run_id == run.run_id), None)


def _close_record(record: RunRecord, published: PublishedRun | None) -> None:
    """A run that died after it had flipped the pointer has done what matters."""
    if published:
        record.status, record.finished_at = RunStatus.SUCCEEDED, published.published_at
        record.production = published
        record.note = "the process ended after it had published"
    else:
        record.status, record.error, record.finished_at = RunStatus.FAILED, DIED, utc_now()
