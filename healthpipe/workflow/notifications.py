"""Telling people what a run came to, and writing down whether they could be told.

What to say of a run that failed: where, why, and what to do next.
"""

import datetime
import json
import logging
import shlex
from typing import Any

from healthpipe.alerts.notifier import Delivery, Failure, Notifier
from healthpipe.errors import GateFailed, PublishConflict
from healthpipe.publishing.audit import Gate, Level
from healthpipe.runs.attempts import StepStatus
from healthpipe.runs.record import RunRecord
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.storage.layout import Root

log = logging.getLogger("healthpipe")


def open_notifier(root: Root, request: RunRequest) -> Notifier:
    """Who tells what happens in a run, now: a run may be gone on with days after its start."""
    return Notifier(root, request.channel(), datetime.datetime.now(datetime.UTC))


def record_delivery(run: Run, about: str, delivery: Delivery) -> dict[str, Any]:
    """Say it if people could not be told, and keep it in the record. Returns what was kept."""
    kept = {"about": about, **delivery.to_json()}
    if delivery.problem:
        log.warning("alert not sent: %s", delivery.problem)
    if run.exists:
        run.change(lambda record: record.details.setdefault("alerts", []).append(kept))
    return kept


ENDED_BADLY = (StepStatus.FAILED, StepStatus.ABANDONED)
OUT_OF_NOWHERE = "the start"


def failure_of(run: Run, reason: dict[str, str]) -> Failure:
    """What is to be told of a failed run."""
    record = run.record if run.exists else None
    step = failed_step(record, reason) if record else OUT_OF_NOWHERE
    return Failure(run.run_id, step, **reason, next_command=_next_command(run, reason["code"]))


def failed_step(record: RunRecord, reason: dict[str, str] | None) -> str:
    """The step that made a run fail for a reason, as far as its record tells.

    Others ended badly because of it: branches are stopped when one of them fails.
    """
    ended = [step for step in record.steps if step["status"] in ENDED_BADLY]
    for found in (
        [step for step in ended if step["error"] == reason],
        [step for step in ended if step["status"] == StepStatus.ABANDONED],
        ended,
    ):
        if found:
            return str(found[0]["name"])
    return OUT_OF_NOWHERE


def reason_of(error: dict[str, str] | None) -> dict[str, str]:
    """Code, message and hint of what a Catch hands on.

    The cause of a step's error is what AWS Lambda makes of an exception; other errors are the
    workflow's own.
    """
    name = error["Error"] if error else "unknown"
    try:
        told = json.loads(json.loads(error["Cause"] if error else "")["errorMessage"])
        return {key: str(told[key]) for key in ("code", "message", "hint")}
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
    """A command to be pasted anywhere, whatever folder the run was started in."""
    root = f"--root {shlex.quote(run.root.absolute_uri)}"
    if code == GateFailed.code:
        return f"healthpipe {_look_at_gates(run)} {run.run_id} {root}"
    if code == PublishConflict.code or not run.exists:
        return f"healthpipe status {root}"
    return f"healthpipe runs retry {run.run_id} {root}"


def _look_at_gates(run: Run) -> str:
    """What shows why a gate failed: the rejected lines, or of a drop the gates themselves."""
    audit = run.record.details.get("audit") if run.exists else None
    failed = {
        each["gate"] for each in (audit or {}).get("findings", ()) if each["level"] == Level.FAIL
    }
    return "quarantine list" if failed & {Gate.REJECTS, Gate.REJECTED_FILES} else "runs show"
