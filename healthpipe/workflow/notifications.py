"""Alerts about runs: what failed, why and what to do next, and the record of their delivery."""

import datetime
import json
import logging
import shlex

from healthpipe.alerts.notifier import Delivery, Failure, Notifier
from healthpipe.errors import GateFailed, PublishConflict
from healthpipe.publishing.audit import Gate, Level
from healthpipe.runs.attempts import StepStatus
from healthpipe.runs.record import AlertRecord, Document, RunRecord, as_json
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.storage.layout import Root

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

    Others ended badly because of it: branches are stopped when one of them fails.
    """
    ended = [step for step in record.steps if step.status in ENDED_BADLY]
    for found in (
        [step for step in ended if step.error == reason],
        [step for step in ended if step.status == StepStatus.ABANDONED],
        ended,
    ):
        if found:
            return found[0].name
    return NO_STEP


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
    root = f"--root {shlex.quote(run.root.absolute_uri)}"
    if code == GateFailed.code:
        return f"healthpipe {_command_about_gates(run)} {run.run_id} {root}"
    if code == PublishConflict.code or not run.exists:
        return f"healthpipe status {root}"
    return f"healthpipe runs retry {run.run_id} {root}"


def _command_about_gates(run: Run) -> str:
    """The command that shows why a gate failed: the rejected lines, or for a drop the gates."""
    audit = run.record.audit if run.exists else None
    failed = {each.gate for each in audit.findings if each.level == Level.FAIL} if audit else set()
    return "quarantine list" if failed & {Gate.REJECTS, Gate.REJECTED_FILES} else "runs show"
