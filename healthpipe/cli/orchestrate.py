"""Running the workflow for a command, and showing what it published."""

import json
from dataclasses import dataclass

from healthpipe.cli.console import log
from healthpipe.cli.render import rejected_count, show_issues, sums
from healthpipe.cli.shared import OutputSettings
from healthpipe.engines import require_reachable_root
from healthpipe.runs.record import Execution, RunStatus
from healthpipe.runs.request import RunRequest
from healthpipe.stages.options import StageOptions
from healthpipe.workflow.heartbeat import heartbeat, require_url
from healthpipe.workflow.orchestrate import RunEnvironment, WorkflowResult, orchestrate


@dataclass(frozen=True)
class RunSettings:
    """How a command conducts a run: how long it waits for the lock, and who hears its pulse."""

    lock_wait_s: float = 0
    heartbeat_url: str | None = None


def run_workflow(
    request: RunRequest, execution: Execution, conduct: RunSettings, manner: OutputSettings
) -> None:
    """Run it and render what it published."""
    require_reachable_root(request.engine, request.root)
    require_url(conduct.heartbeat_url)
    with manner.session() as progress, heartbeat(conduct.heartbeat_url):
        result = orchestrate(request, execution, RunEnvironment(progress, conduct.lock_wait_s))
    show_result(result, manner)


def show_result(result: WorkflowResult, manner: OutputSettings) -> None:
    """Render what a run published, or that there was nothing to do."""
    production = result.production
    if result.record.status == RunStatus.UNCHANGED:
        log.info(
            "nothing to do: inputs, options, SQL and as-of date are those of the live run "
            f"{production.run_id} (--force runs all the same)"
        )
    else:
        _show_summary(result)
    if manner.json:
        print(json.dumps(result.to_json(), default=str))
    elif not manner.quiet:
        for file in production.files:
            print(f"{result.run.root.uri}/{file.path}")


def _show_summary(result: WorkflowResult) -> None:
    document = result.to_json()
    records = document["records"]
    files = result.production.files
    rows = sums((file.stage, file.format, file.rows) for file in files)
    counts = ", ".join(f"{stage} {count:,} rows" for stage, count in rows.items())
    log.info(
        f"published run {document['run_id']} as of {document['as_of']}: "
        f"{records['lines']:,} lines in, {rejected_count(records)}, "
        f"{records['superseded']:,} superseded; {counts}; in {result.elapsed_s:.1f} s",
        extra={"fields": document},
    )
    rules = StageOptions.from_json(result.record.options).rules
    show_issues(document["issues"], records, rules, result.run.uri)
