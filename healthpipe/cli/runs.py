"""The commands about runs: list, show, retry, roll back and prune."""

import datetime
import itertools
import json
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from healthpipe.choices import KEPT_DAYS, KEPT_RUNS, MAX_KEPT_DAYS
from healthpipe.cli.console import OutputSettings, log
from healthpipe.cli.options import (
    AcceptOptions,
    AwsOptions,
    DryRunOption,
    KeepOption,
    LimitOption,
    LockOptions,
    MaxBytesScannedOption,
    MemoryOptions,
    MessageOptions,
    RootOptions,
)
from healthpipe.cli.render import print_document, print_table, size_text
from healthpipe.cli.signature import expand_options, one_call_option, option
from healthpipe.text import elapsed_text, moment_text

if TYPE_CHECKING:
    from healthpipe.runs.record import RunRecord
    from healthpipe.runs.request import RequestChanges
    from healthpipe.storage.layout import Root

COLUMNS = ("run", "status", "as of", "took", "lines", "rejected")

runs = typer.Typer(
    name="runs",
    no_args_is_help=True,
    add_completion=False,
    help="List, show, resume and roll back runs, and remove what nobody needs.",
    epilog="Try: healthpipe runs list, then healthpipe runs show.",
)

AllRunsOption = Annotated[
    bool, one_call_option("--all", help="Also the stages that were run by hand.")
]
RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="A run's id.  (default: the last run)", show_default=False),
]
PublishedRunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN_ID",
        help="The published run to be live again.  (default: the one before the live one)",
        show_default=False,
    ),
]
PruneDaysOption = Annotated[
    int,
    option(
        "--days",
        env="PRUNE_DAYS",
        metavar="N",
        min=0,
        max=MAX_KEPT_DAYS,
        help="How many days the folders of other runs stay.",
    ),
]


@runs.command("list")
@expand_options
def list_(
    context: typer.Context,
    *,
    root: RootOptions,
    limit: LimitOption = 20,
    all_: AllRunsOption = False,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """List the runs of the workflow, the newest first.

    For example: healthpipe runs list --limit 5
    """
    list_runs(root.open(aws).existing(), limit, messages.apply(), with_stages=all_)


@runs.command("show")
@expand_options
def show(
    context: typer.Context,
    *,
    any_run: RunArgument = None,
    root: RootOptions,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Show what became of a run: its steps, gates, alerts and errors.

    For example: healthpipe runs show --json | jq .steps
    """
    show_run(root.open(aws).existing(), any_run, messages.apply())


@runs.command("retry")
@expand_options
def retry(
    context: typer.Context,
    *,
    any_run: RunArgument = None,
    root: RootOptions,
    accept: AcceptOptions,
    max_bytes_scanned: MaxBytesScannedOption = None,
    lock: LockOptions,
    memory: MemoryOptions,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Resume a run that failed, from the step that failed, and publish it.

    For example: healthpipe runs retry
    """
    from healthpipe.runs.request import RequestChanges

    changes = RequestChanges(accept.gates(), accept.accept_drop, max_bytes_scanned)
    retry_run(
        root.open(aws).existing(), RetryRequest(any_run, changes, lock.lock_wait), messages.apply()
    )


@runs.command("rollback")
@expand_options
def rollback(
    context: typer.Context,
    *,
    published_run: PublishedRunArgument = None,
    root: RootOptions,
    lock: LockOptions,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Make a run that was published before the live one again.

    For example: healthpipe runs rollback
    """
    roll_back(root.open(aws).existing(), published_run, lock.lock_wait, messages.apply())


@runs.command("prune")
@expand_options
def prune(
    context: typer.Context,
    *,
    dry_run: DryRunOption = False,
    keep: KeepOption = KEPT_RUNS,
    prune_days: PruneDaysOption = KEPT_DAYS,
    root: RootOptions,
    lock: LockOptions,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Remove old copies in production, old runs, and curated files that no run can use.

    For example: healthpipe runs prune --dry-run
    """
    request = PruneRequest(keep, prune_days, dry_run, lock.lock_wait)
    prune_root(root.open(aws).existing(), request, messages.apply())


def list_runs(root: "Root", limit: int, settings: OutputSettings, *, with_stages: bool) -> None:
    """Print the newest runs of the workflow, a line each; with stages run by hand, too."""
    from healthpipe.runs.record import ORCHESTRATE
    from healthpipe.runs.run import records_of

    settings.start_logging()
    records = (each for each in records_of(root) if with_stages or each.command == ORCHESTRATE)
    newest = list(itertools.islice(records, limit))
    if settings.json:
        print_document("runs list", {"runs": [_summary(record) for record in newest]})
        return
    print_table(
        (*COLUMNS, *["command"] * with_stages),
        [(*_row(record), *[record.command] * with_stages) for record in newest],
    )


def show_run(root: "Root", run_id: str | None, settings: OutputSettings) -> None:
    """Print the record of a run."""
    from healthpipe.runs.run import Run
    from healthpipe.workflow.resume import last_run

    settings.start_logging()
    record = last_run(root) if run_id is None else Run.named(root, run_id).record
    if settings.json:
        print(json.dumps(record.to_json(), default=str))
        return
    print_table(("what", "how it was"), list(_details(record)))


@dataclass(frozen=True)
class RetryRequest:
    """Which run to resume, by default the last, and what of its request changes."""

    run_id: str | None
    changes: "RequestChanges"
    lock_wait_s: float


def retry_run(root: "Root", request: RetryRequest, settings: OutputSettings) -> None:
    """Resume a run that failed, and print what it published."""
    from healthpipe.cli.orchestrate import show_result
    from healthpipe.workflow.orchestrate import RunEnvironment
    from healthpipe.workflow.resume import retry

    with settings.session() as progress:
        environment = RunEnvironment(progress, request.lock_wait_s)
        result = retry(root, request.run_id, request.changes, environment)
    if result is None:
        log.info("this run has succeeded; there is nothing to resume")
        if settings.json:
            show_run(root, request.run_id, settings)
        return
    show_result(result, settings)


@dataclass(frozen=True)
class PruneRequest:
    """How much stays: published runs, and days of others. A dry run removes nothing."""

    keep: int
    days: int
    dry_run: bool
    lock_wait_s: float


def roll_back(
    root: "Root", run_id: str | None, lock_wait_s: float, settings: OutputSettings
) -> None:
    """Make an earlier run live again, and print the paths of its files."""
    from healthpipe.publishing.pointer import read_live
    from healthpipe.publishing.publish import rollback
    from healthpipe.runs.locks import root_locked

    with settings.session(), root_locked(root, "runs rollback", lock_wait_s):
        was = read_live(root).run_id
        live = rollback(root, run_id, uuid.uuid4().hex)
    log.info(
        f"run {live.run_id} as of {live.as_of} is live again"
        f" as generation {live.generation}; run {was} was"
    )
    if settings.json:
        print_document("runs rollback", {"run_id": live.run_id, "production": live.document})
    elif not settings.quiet:
        for file in live.files:
            print(f"{root.uri}/{file.path}")


def prune_root(root: "Root", request: PruneRequest, settings: OutputSettings) -> None:
    """Print a line for each thing removed, or in a dry run to be removed."""
    from healthpipe.publishing.prune import plan_prune, remove_planned
    from healthpipe.runs.locks import root_locked

    today = datetime.datetime.now(datetime.UTC).date()
    # Looking alone disturbs nobody.
    lock = (
        nullcontext() if request.dry_run else root_locked(root, "runs prune", request.lock_wait_s)
    )
    with settings.session(), lock:
        removals = plan_prune(root, keep=request.keep, days=request.days, today=today)
        if not request.dry_run:
            removals = remove_planned(root, removals)
    size = sum(removal.bytes for removal in removals)
    verb = "would be removed" if request.dry_run else "removed"
    log.info(f"{len(removals):,} folders and fragments {verb}, {size_text(size)}")
    if settings.json:
        listed = [asdict(removal) for removal in removals]
        print_document(
            "runs prune", {"dry_run": request.dry_run, "bytes": size, "removals": listed}
        )
    elif not settings.quiet:
        rows = [(each.kind.value, str(each.bytes), each.uri, each.why) for each in removals]
        print_table(("kind", "bytes", "path", "why"), rows)


def _summary(record: "RunRecord") -> dict[str, Any]:
    kept = ("run_id", "command", "status", "started_at", "finished_at", "error")
    summary = {name: getattr(record, name) for name in kept}
    return {**summary, "as_of": record.as_of.isoformat(), "records": record.details.get("records")}


def _row(record: "RunRecord") -> tuple[str, ...]:
    from healthpipe.runs.record import RunStatus
    from healthpipe.workflow.steps.notify import failed_step

    records = record.records or {}
    counts = (str(records.get(name, "")) for name in ("lines", "rejected"))
    took = elapsed_text(record.started_at, record.finished_at)
    at = (
        f" at {failed_step(record, record.error)}"
        if record.status in (RunStatus.FAILED, RunStatus.INTERRUPTED)
        else ""
    )
    status = f"{record.status}{at}"
    return (record.run_id, status, record.as_of.isoformat(), took, *counts)


def _details(record: "RunRecord") -> Iterator[tuple[str, str]]:
    yield "run", f"{record.run_id} ({record.command}, as of {record.as_of})"
    yield "status", f"{record.status}; {_times_text(record.started_at, record.finished_at)}"
    if record.error:
        yield "error", f"{record.error['message']}; {record.error['hint']}"
    for name in ("input", "records", "issues"):
        if counts := getattr(record, name):
            yield name, ", ".join(f"{count:,} {what}" for what, count in counts.items())
    for finding in record.audit.findings if record.audit else ():
        yield "gate", f"{finding.level}: {finding.message}"
    for step in record.steps:
        times = _times_text(step.started_at, step.finished_at)
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


def _times_text(start: str, end: str | None) -> str:
    took = f"took {elapsed_text(start, end)}" if end else "not ended"
    return f"began {moment_text(start)}, {took}"
