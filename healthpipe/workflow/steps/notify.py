"""The steps that tell people: what expires, what succeeded, what failed."""

from dataclasses import replace
from datetime import date
from typing import Any

from healthpipe.alerts.notifier import ExpiringRow, RunSummary
from healthpipe.runs.attempts import result_of
from healthpipe.runs.record import RunRecord
from healthpipe.runs.run import Run
from healthpipe.stages.catalog import ACCREDITATIONS
from healthpipe.stages.curate import open_records
from healthpipe.stages.options import Window
from healthpipe.stages.results import define_relations
from healthpipe.workflow.notifications import failure_of, open_notifier, reason_of, record_delivery
from healthpipe.workflow.steps.context import StepContext

EXPIRING = "expiring"


def alert_expiring(work: StepContext) -> dict[str, Any]:
    """Announce what expires, and what has lapsed since it was announced.

    A run that found nothing to do makes good what the live run could not, or was killed before.
    """
    published_by = _run_that_published(work)
    if published_by is not work.run and _has_told(published_by.record):
        return {}
    work.progress.step("announcing what expires")
    options = work.options
    with_lapsed = replace(options, window=Window(date.min, options.window.end))
    with work.engine() as engine:
        segments = result_of(published_by, "Curate")["segments"]
        open_records(engine, with_lapsed, segments, ACCREDITATIONS.carries)
        define_relations(engine, ACCREDITATIONS, with_lapsed)
        rows = (ExpiringRow(*row) for row in engine.stream(ACCREDITATIONS.query(with_lapsed)))
        delivery = open_notifier(work.root, work.request).announce_expiring(
            work.run.run_id,
            options.as_of,
            rows,
            include_expired=options.window.start < options.as_of,
        )
    return record_delivery(work.run, EXPIRING, delivery)


def _run_that_published(work: StepContext) -> Run:
    """The run itself, or the one that it found live with all that it would come to."""
    earlier = work.run.record.details.get("unchanged_since")
    return Run(work.root, earlier) if earlier else work.run


def _has_told(record: RunRecord) -> bool:
    """Whether everything that a run had to announce was taken."""
    told = (each for each in record.details.get("alerts", []) if each["about"] == EXPIRING)
    return any(each["problem"] is None for each in told)


def notify_success(work: StepContext) -> dict[str, Any]:
    """Tell that the run recovered from a failure; that it succeeded, to those who want to know."""
    facts = work.run.record.details
    delivery = open_notifier(work.root, work.request).notify_success(
        RunSummary(work.run.run_id, work.options.as_of, facts["records"]),
        wants_success=work.request.notify_success and "production" in facts,
    )
    return record_delivery(work.run, "success", delivery)


def notify_failure(work: StepContext) -> dict[str, Any]:
    """Tell what failed, why, and what to do next."""
    failure = failure_of(work.run, reason_of(work.error))
    delivery = open_notifier(work.root, work.request).notify_failure(failure)
    return record_delivery(work.run, "failure", delivery)
