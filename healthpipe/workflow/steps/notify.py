"""Alerts about a run: its notifier, what a failure message says, and the steps that send them.

The steps are AlertExpiring, NotifySuccess and NotifyFailure.
"""

import datetime
import json
import logging
from dataclasses import replace
from datetime import date

from healthpipe.alerts.notifier import Delivery, ExpiringRow, Failure, Notifier, RunSummary
from healthpipe.choices import Gate
from healthpipe.errors import GateFailed, PublishConflict
from healthpipe.publishing.gates import Level
from healthpipe.runs.attempts import StepStatus, result_of
from healthpipe.runs.record import AlertRecord, Document, RunRecord, as_json
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.stages.catalog import ACCREDITATIONS
from healthpipe.stages.curate import open_records
from healthpipe.stages.options import Window
from healthpipe.stages.results import define_relations
from healthpipe.storage.layout import Root
from healthpipe.workflow.steps.context import StepContext

log = logging.getLogger("healthpipe")
ENDED_BADLY = (StepStatus.FAILED, StepStatus.ABANDONED)
NO_STEP = "the start"  # where a run failed before its first step


def open_notifier(root: Root, request: RunRequest) -> Notifier:
    """The notifier of a run, as of now: a run may be resumed days after its start."""
    return Notifier(root, request.channel(), datetime.datetime.now(datetime.UTC))


def record_delivery(run: Run, about: str, delivery: Delivery) -> Document:
    """Add a delivery to the run's record, and log its problem; returns the record's entry."""
    entry = AlertRecord(
        about, delivery.sent, delivery.announced, delivery.suppressed, delivery.problem
    )
    if delivery.problem:
        log.warning("alert not sent: %s", delivery.problem)
    if run.exists:
        run.change(lambda record: record.add_alert(entry))
    document: Document = as_json(entry)
    return document


def failure_of(run: Run, reason: dict[str, str]) -> Failure:
    """Describe the failure of a run for an alert."""
    record = run.record if run.exists else None
    step = failed_step(record, reason) if record else NO_STEP
    return Failure(run.run_id, step, **reason, next_command=_next_command(run, reason["code"]))


def failed_step(record: RunRecord, reason: dict[str, str] | None) -> str:
    """Find the step that made a run fail for a reason, by its record.

    Others ended badly because of it: branches are stopped when one of them fails. On a full disk
    none is recorded as ended badly: then it is one after the last that succeeded.
    """
    ended = [step for step in record.steps if step.status in ENDED_BADLY]
    for found in (
        [step for step in ended if step.error == reason],
        [step for step in ended if step.status == StepStatus.ABANDONED],
        ended,
    ):
        if found:
            return found[0].name
    succeeded = [step.name for step in record.steps if step.status == StepStatus.SUCCEEDED]
    return f"a step after {succeeded[-1]}" if succeeded else NO_STEP


def reason_of(error: dict[str, str] | None) -> dict[str, str]:
    """Parse the error that a Catch hands on into code, message and hint.

    The cause of a step's error is what AWS Lambda makes of an exception; other errors are the
    workflow's own.
    """
    name = error["Error"] if error else "unknown"
    try:
        described = json.loads(json.loads(error["Cause"] if error else "")["errorMessage"])
        return {key: str(described[key]) for key in ("code", "message", "hint")}
    except (ValueError, KeyError, TypeError):
        pass
    if name == "States.Timeout":
        return {
            "code": "timeout",
            "message": "a step did not end within its time and was given up",
            "hint": "look at what else the machine was doing, then run again",
        }
    return {"code": "workflow", "message": f"the workflow failed ({name})", "hint": "run again"}


def _next_command(run: Run, code: str) -> str:
    """The command to try next, which works in any folder."""
    if code == GateFailed.code:
        return run.root.command(*_words_about_gates(run), run.run_id)
    if code == PublishConflict.code or not run.exists:
        return run.root.command("status")
    return run.root.command("runs", "retry", run.run_id)


def _words_about_gates(run: Run) -> tuple[str, str]:
    """The command that shows why a gate failed: the rejected lines, or for a drop the gates."""
    audit = run.record.audit if run.exists else None
    failed = {each.gate for each in audit.findings if each.level == Level.FAIL} if audit else set()
    if failed & {Gate.REJECTS, Gate.REJECTED_FILES}:
        return "quarantine", "list"
    return "runs", "show"


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
        open_records(
            engine,
            with_lapsed,
            published_by.segments,
            ACCREDITATIONS.projections,
            are_unrivalled=result_of(published_by, "Curate")["are_unrivalled"],
        )
        define_relations(engine, ACCREDITATIONS, with_lapsed)
        rows = (ExpiringRow(*row) for row in engine.stream(ACCREDITATIONS.query(with_lapsed)))
        delivery = open_notifier(context.root, context.request).announce_expiring(
            context.run.run_id,
            options.as_of,
            rows,
            context.request.list_command(options.as_of),
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
