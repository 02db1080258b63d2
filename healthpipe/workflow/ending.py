"""What a run has left running elsewhere, ended by whoever goes on with the run or closes it."""

import logging
from dataclasses import replace
from typing import Any

from healthpipe.aws.access import AthenaSettings, AwsAccess
from healthpipe.choices import EngineName
from healthpipe.engines import forget_run, stop_queries
from healthpipe.errors import HealthpipeError
from healthpipe.runs.attempts import Attempt, begun_steps
from healthpipe.runs.record import RunRecord
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.workflow.queries import QUERIES, unended, with_ended

log = logging.getLogger("healthpipe")
ATHENA = "athena"


def end_everything(run: Run) -> list[str]:
    """Stop the queries of a run of which nobody has seen the end, and drop its tables.

    Returns the ids of the queries. Raises `UsageError` or `ServiceFailed` where AWS does not do it.
    """
    record = run.record
    if record.engine != EngineName.ATHENA:
        return []
    # Whoever ends it may have another profile; but queries are known where they were started.
    settings = settings_of(record)
    region = settings.access.region or run.root.access.region
    settings = replace(settings, access=replace(run.root.access, region=region))
    notes = [attempt.notes for step in begun_steps(run) if (attempt := Attempt.last(run, step))]
    ids = [query_id for each in (*notes, record.details) for query_id in unended(each)]
    stop_queries(settings, ids)
    forget_run(settings, run.run_id)
    return ids


def end_what_can_be(run: Run) -> list[str]:
    """The same where something else has failed, which must not be hidden: what fails is said."""
    try:
        return end_everything(run)
    except HealthpipeError as error:
        log.warning("queries of run %s may still be running: %s", run.run_id, error)
        return []


def end_earlier(attempt: Attempt, settings: AthenaSettings) -> None:
    """Stop what earlier attempts at a step have left running, before this one starts anything."""
    for query_id, state, scanned in stop_queries(settings, unended(attempt.notes)):
        attempt.notes[QUERIES] = with_ended(attempt.notes, query_id, state, scanned)


def settings_of(record: RunRecord) -> AthenaSettings:
    """The settings that the queries of a run were started with."""
    if "request" in record.details:
        return RunRequest.from_json(record.details["request"]).athena()
    document: dict[str, Any] = record.details[ATHENA]
    return AthenaSettings(**{**document, "access": AwsAccess(**document["access"])})
