"""The command that runs the whole workflow and publishes its results."""

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from healthpipe.choices import (
    KEPT_RUNS,
    MAX_DROP,
    MAX_ISSUES,
    MAX_REJECTED_FILES,
    MAX_REJECTS,
    WARN_ISSUES,
)
from healthpipe.cli.console import OutputSettings, log
from healthpipe.cli.options import (
    PUBLISHED,
    RUNS,
    TOLD,
    AcceptOptions,
    AthenaOptions,
    AwsOptions,
    DryRunOption,
    InputOptions,
    KeepOption,
    LockOptions,
    MemoryOptions,
    MessageOptions,
    SnapshotAgeOption,
    SpreadsheetOptions,
    TopicOptions,
)
from healthpipe.cli.options_meaning import (
    AccreditedOptions,
    FirstAccreditationOptions,
    RecordOptions,
    StateOptions,
    WindowOptions,
    ZeroOptions,
)
from healthpipe.cli.render import (
    log_changes,
    log_issues,
    log_skipped,
    rejected_text,
    sum_by_name,
)
from healthpipe.cli.signature import RARE, expand_options, one_call_option, option
from healthpipe.cli.stages import raw_options

if TYPE_CHECKING:
    from healthpipe.publishing.gates import RawGates
    from healthpipe.runs.record import Execution
    from healthpipe.runs.request import RunRequest
    from healthpipe.workflow.orchestrate import WorkflowResult

AT_MOST = "N|P%"


@dataclass(frozen=True)
class GateOptions:
    """With how much wrong a run is published, and without a warning."""

    max_rejects: Annotated[
        str,
        option(
            "--max-rejects",
            metavar=AT_MOST,
            help="At most so many rejected lines.",
            panel=PUBLISHED,
        ),
    ] = MAX_REJECTS
    max_rejected_files: Annotated[
        str,
        option(
            "--max-rejected-files",
            metavar=AT_MOST,
            help="At most so many files rejected whole.",
            panel=PUBLISHED,
        ),
        RARE,
    ] = MAX_REJECTED_FILES
    max_drop: Annotated[
        str,
        option(
            "--max-drop",
            metavar=AT_MOST,
            help="At most so many facilities fewer than live.",
            panel=PUBLISHED,
        ),
    ] = MAX_DROP
    max_issues: Annotated[
        str,
        option(
            "--max-issues",
            metavar=AT_MOST,
            help="At most so many records that break a rule.",
            panel=PUBLISHED,
        ),
    ] = MAX_ISSUES
    gate: Annotated[
        list[str] | None,
        option(
            "--gate",
            metavar="REASON=N|P%",
            help="At most so many that break this rule; may be repeated.",
            panel=PUBLISHED,
        ),
        RARE,
    ] = None
    max_snapshot_age: Annotated[SnapshotAgeOption, RARE] = None
    warn_rejects: Annotated[
        str | None,
        option(
            "--warn-rejects",
            metavar=AT_MOST,
            help="Warn of more rejected lines.",
            panel=PUBLISHED,
        ),
        RARE,
    ] = None
    warn_rejected_files: Annotated[
        str | None,
        option(
            "--warn-rejected-files",
            metavar=AT_MOST,
            help="Warn of more files rejected whole.",
            panel=PUBLISHED,
        ),
        RARE,
    ] = None
    warn_drop: Annotated[
        str | None,
        option(
            "--warn-drop",
            metavar=AT_MOST,
            help="Warn of a larger drop against the live run.",
            panel=PUBLISHED,
        ),
        RARE,
    ] = None
    warn_issues: Annotated[
        str | None,
        option(
            "--warn-issues",
            metavar=AT_MOST,
            help=f"Warn of more records that break a rule.  (default: {WARN_ISSUES})",
            panel=PUBLISHED,
        ),
        RARE,
    ] = None

    def raw(self) -> "RawGates":
        """Return the gates as they were written."""
        from healthpipe.publishing.gates import RawGates

        return RawGates(**vars(self))


@dataclass(frozen=True)
class PublishOptions:
    """How many published runs stay."""

    keep: Annotated[KeepOption, RARE] = KEPT_RUNS


@dataclass(frozen=True)
class AlertOptions(TopicOptions):
    """The channel of the alerts, and whether success is one."""

    notify_success: Annotated[
        bool,
        option("--notify-success", help="An alert also when a run succeeds.", panel=TOLD),
    ] = False


ForceOption = Annotated[bool, one_call_option("--force", help="Run even if nothing has changed.")]
HeartbeatUrlOption = Annotated[
    str | None,
    option(
        "--heartbeat-url",
        metavar="URL",
        help="Call URL/start at the start and URL/<exit status> at the end.",
        panel=RUNS,
    ),
]


@dataclass(frozen=True)
class RunSettings:
    """How long a run waits for the lock, and the URL of its heartbeat."""

    lock_wait_s: float = 0
    heartbeat_url: str | None = None


@expand_options
def orchestrate(
    context: typer.Context,
    *,
    inputs: InputOptions,
    records: RecordOptions,
    window: WindowOptions,
    first: Annotated[FirstAccreditationOptions, RARE],
    accredited: Annotated[AccreditedOptions, RARE],
    states: Annotated[StateOptions, RARE],
    zero: Annotated[ZeroOptions, RARE],
    spreadsheet: Annotated[SpreadsheetOptions, RARE],
    gates: GateOptions,
    accept: AcceptOptions,
    publish: PublishOptions,
    alerts: Annotated[AlertOptions, RARE],
    force: ForceOption = False,
    lock: Annotated[LockOptions, RARE],
    memory: MemoryOptions,
    heartbeat_url: Annotated[HeartbeatUrlOption, RARE] = None,
    dry_run: DryRunOption = False,
    aws: AwsOptions,
    athena: AthenaOptions,
    messages: MessageOptions,
) -> None:
    """Run all stages and publish their results.

    For example: healthpipe orchestrate --quiet
    """
    from healthpipe.runs.record import Execution
    from healthpipe.runs.request import RunRequest

    execution = Execution.now()
    meaning = (records, window, first, accredited, states, zero, spreadsheet)
    request = RunRequest(
        root=inputs.root,
        sources=tuple(inputs.sources or ()),
        engine=inputs.engine,
        as_of=records.as_of,
        raw_options=raw_options(context, *meaning),
        gates=gates.raw(),
        accept=accept.gates(),
        accept_drop=accept.accept_drop,
        force=force,
        **vars(publish) | vars(alerts) | vars(aws) | vars(athena),
    )
    request.require_valid(execution.start.date())
    run = RunSettings(lock.lock_wait, heartbeat_url)
    run_or_plan(request, execution, run, messages.apply(), dry_run=dry_run)


def run_or_plan(
    request: "RunRequest",
    execution: "Execution",
    run: RunSettings,
    settings: OutputSettings,
    *,
    dry_run: bool,
) -> None:
    """Run the workflow, or print what it would do."""
    from healthpipe.cli.render import show_workflow_plan

    if dry_run:
        show_workflow_plan(request, execution, settings)
    else:
        run_and_show(request, execution, run, settings)


def run_and_show(
    request: "RunRequest", execution: "Execution", run: RunSettings, settings: OutputSettings
) -> None:
    """Run the workflow, and print what it published."""
    from healthpipe.engines import require_reachable_root
    from healthpipe.workflow.heartbeat import heartbeat, require_url
    from healthpipe.workflow.orchestrate import RunEnvironment, orchestrate

    require_reachable_root(request.engine, request.root)
    require_url(run.heartbeat_url)
    with settings.session() as progress, heartbeat(run.heartbeat_url):
        result = orchestrate(request, execution, RunEnvironment(progress, run.lock_wait_s))
    show_result(result, settings)


def show_result(result: "WorkflowResult", settings: OutputSettings) -> None:
    """Print what a run published, or that there was nothing to do."""
    from healthpipe.runs.record import RunStatus

    production = result.production
    if result.record.status == RunStatus.UNCHANGED:
        log.info(
            "nothing to do: inputs, options, SQL and as-of date are those of the live run "
            f"{production.run_id} (--force runs all the same)"
        )
    else:
        _log_summary(result, settings)
    if settings.json:
        print(json.dumps(result.to_json(), default=str))
    elif not settings.quiet:
        for file in production.files:
            print(f"{result.run.root.uri}/{file.path}")


def _log_summary(result: "WorkflowResult", settings: OutputSettings) -> None:
    """Log what came in and out, and what is wrong with it: with --quiet what is new of that."""
    from healthpipe.stages.options import StageOptions
    from healthpipe.workflow.changes import record_before, warnings_of

    document = result.to_json()
    records = document["records"]
    files = result.production.files
    rows = sum_by_name((file.stage, file.format, file.rows) for file in files)
    counts = ", ".join(f"{stage} {count:,} rows" for stage, count in rows.items())
    log.info(
        f"published run {document['run_id']} as of {document['as_of']}: "
        f"{records['lines']:,} lines in, {rejected_text(records)}, "
        f"{records['superseded']:,} superseded; {counts}; in {result.elapsed_s:.1f} s",
        extra={"fields": document},
    )
    record, root = result.record, result.run.root
    warnings = warnings_of(root, record)
    if settings.quiet:
        before = warnings_of(root, record_before(result.run, record))
        log_changes(warnings, before, result.run.uri)
        return
    rules = StageOptions.from_json(record.options).rules
    log_issues(document["issues"], records, rules, result.run.uri)
    log_skipped(warnings.skipped, result.run.uri, logging.INFO)
