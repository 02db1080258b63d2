"""The steps that send alerts: AlertExpiring, NotifySuccess and NotifyFailure."""

from dataclasses import replace
from datetime import date

from healthpipe.alerts.notifier import ExpiringRow, RunSummary
from healthpipe.runs.attempts import result_of
from healthpipe.runs.record import Document, RunRecord
from healthpipe.runs.run import Run
from healthpipe.stages.catalog import ACCREDITATIONS
from healthpipe.stages.curate import open_records
from healthpipe.stages.options import Window
from healthpipe.stages.results import define_relations
from healthpipe.workflow.notifications import failure_of, open_notifier, reason_of, record_delivery
from healthpipe.workflow.steps.context import StepContext

EXPIRING = "expiring"


def alert_expiring(context: StepContext) -> Document:
    """Announce what expires, and what has lapsed since it was announced.

    A run that found nothing to do announces what the live run could not, or was killed before.
    """
    published_by = _run_that_published(context)
    if published_by is not context.run and _has_announced(published_by.record):
        return {}
    context.progress.step("announcing what expires")
    options = context.options
    with_lapsed = replace(options, window=Window(date.min, options.window.end))
    with context.engine() as engine:
        segments = result_of(published_by, "Curate")["segments"]
        open_records(engine, with_lapsed, segments, ACCREDITATIONS.projections)
        define_relations(engine, ACCREDITATIONS, with_lapsed)
        rows = (ExpiringRow(*row) for row in engine.stream(ACCREDITATIONS.query(with_lapsed)))
        delivery = open_notifier(context.root, context.request).announce_expiring(
            context.run.run_id,
            options.as_of,
            rows,
            include_expired=options.window.start < options.as_of,
        )
    return record_delivery(context.run, EXPIRING, delivery)


def _run_that_published(context: StepContext) -> Run:
    """The run itself, or the live one if it has the same inputs, options and code."""
    earlier = context.run.record.unchanged_since
    return Run(context.root, earlier) if earlier else context.run


def _has_announced(record: RunRecord) -> bool:
    """Whether the channel took everything that a run had to announce."""
    alerts = record.alerts or ()
    return any(alert.about == EXPIRING and alert.problem is None for alert in alerts)


def notify_success(context: StepContext) -> Document:
    """Send that the run recovered from failures and, if requested, that it succeeded."""
    record = context.run.record
    delivery = open_notifier(context.root, context.request).notify_success(
        RunSummary(context.run.run_id, context.options.as_of, record.records or {}),
        wants_success=context.request.notify_success and record.production is not None,
    )
    return record_delivery(context.run, "success", delivery)


def notify_failure(context: StepContext) -> Document:
    """Send what failed, why, and what to do next."""
    failure = failure_of(context.run, reason_of(context.error))
    delivery = open_notifier(context.root, context.request).notify_failure(failure)
    return record_delivery(context.run, "failure", delivery)
