"""The runs of a root, for a person or a script; and going on with one that failed."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from healthpipe.cli.console import log
from healthpipe.cli.orchestrate import show_result
from healthpipe.cli.render import print_document, print_table
from healthpipe.cli.shared import OutputSettings
from healthpipe.runs.record import ORCHESTRATE, RunRecord, RunStatus
from healthpipe.runs.run import Run, records_of
from healthpipe.storage.layout import Root
from healthpipe.text import elapsed_text, moment_text
from healthpipe.workflow.notifications import failed_step
from healthpipe.workflow.orchestrate import RunEnvironment
from healthpipe.workflow.resume import last_run, retry

BADLY = (RunStatus.FAILED, RunStatus.INTERRUPTED)
LIST = ("run", "status", "as of", "took", "lines", "rejected")


def list_runs(root: Root, limit: int, manner: OutputSettings, *, with_stages: bool) -> None:
    """The newest runs of the workflow, a line each; or of stages by hand, too."""
    manner.start_logging()
    found = (each for each in records_of(root) if with_stages or each.command == ORCHESTRATE)
    wanted = list(itertools.islice(found, limit))
    if manner.json:
        print_document("runs list", {"runs": [_head(record) for record in wanted]})
        return
    print_table(
        (*LIST, *["command"] * with_stages),
        [(*_row(record), *[record.command] * with_stages) for record in wanted],
    )


def show_run(root: Root, run_id: str | None, manner: OutputSettings) -> None:
    """What a run's record says."""
    manner.start_logging()
    record = last_run(root) if run_id is None else Run.named(root, run_id).record
    if manner.json:
        print(json.dumps(record.to_json(), default=str))
        return
    print_table(("what", "how it was"), list(_facts(record)))


@dataclass(frozen=True)
class RetryRequest:
    """Which run to go on with, by default the last, what of its request is to be changed, and for
    how many seconds to wait for another run.
    """

    run_id: str | None
    changes: Mapping[str, Any]
    lock_wait_s: float


def retry_run(root: Root, retrying: RetryRequest, manner: OutputSettings) -> None:
    """Go on with a run that failed, and render what it published."""
    run_id = retrying.run_id
    with manner.session() as progress:
        around = RunEnvironment(progress, retrying.lock_wait_s)
        result = retry(root, run_id, retrying.changes, around)
    if result is None:
        log.info("this run has succeeded; there is nothing to go on with")
        if manner.json:
            show_run(root, run_id, manner)
        return
    show_result(result, manner)


def _head(record: RunRecord) -> dict[str, Any]:
    kept = ("run_id", "command", "status", "started_at", "finished_at", "error")
    head = {name: getattr(record, name) for name in kept}
    return {**head, "as_of": record.as_of.isoformat(), "records": record.details.get("records")}


def _row(record: RunRecord) -> tuple[str, ...]:
    records = record.records or {}
    counts = (str(records.get(name, "")) for name in ("lines", "rejected"))
    took = elapsed_text(record.started_at, record.finished_at)
    at = f" at {failed_step(record, record.error)}" if record.status in BADLY else ""
    status = f"{record.status}{at}"
    return (record.run_id, status, record.as_of.isoformat(), took, *counts)


def _facts(record: RunRecord) -> Iterator[tuple[str, str]]:
    yield "run", f"{record.run_id} ({record.command}, as of {record.as_of})"
    yield "status", f"{record.status}; {_times(record.started_at, record.finished_at)}"
    if record.error:
        yield "error", f"{record.error['message']}; {record.error['hint']}"
    for name in ("input", "records", "issues"):
        if counts := getattr(record, name):
            yield name, ", ".join(f"{count:,} {what}" for what, count in counts.items())
    for finding in record.audit.findings if record.audit else ():
        yield "gate", f"{finding.level}: {finding.message}"
    for step in record.steps:
        times = _times(step.started_at, step.finished_at)
        again = f", attempt {step.attempt}" if step.attempt > 1 else ""
        why = f": {step.error['message']}" if step.error else ""
        yield "step", f"{step.name} {step.status}{again}, {times}{why}"
    for alert in record.alerts or ():
        problem = f", not sent: {alert.problem}" if alert.problem else ""
        known = f", {alert.suppressed:,} known already" if alert.suppressed else ""
        yield "alert", f"{alert.about}: {alert.sent} sent{known}{problem}"
    if record.production:
        at = moment_text(record.production.published_at)
        yield "published", f"as generation {record.production.generation}, {at}"


def _times(start: str, end: str | None) -> str:
    took = f"took {elapsed_text(start, end)}" if end else "not ended"
    return f"began {moment_text(start)}, {took}"
