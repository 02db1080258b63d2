"""Print data, documents, tables and summaries, and the plan of a dry run as an SQL script."""

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthpipe.choices import Format
from healthpipe.cli.console import OutputSettings, log
from healthpipe.contract import Severity
from healthpipe.runs.record import Execution
from healthpipe.runs.request import RunRequest
from healthpipe.text import escape_control_chars
from healthpipe.workflow.dry_run import Plan, plan_stage, plan_workflow
from healthpipe.workflow.stage_run import StageRequest

if TYPE_CHECKING:
    from healthpipe.ingest.manifest import SkippedFile
    from healthpipe.stages.results import PreviewTable
    from healthpipe.stages.rules import Rules
    from healthpipe.workflow.changes import RunWarnings
    from healthpipe.workflow.stage_run import StageResult

SCHEMA_VERSION = 1
PREVIEW_COLUMNS = 8
UNFOLDED = 12  # cells of a preview up to so many characters, such as dates, stay on one line
MAX_FEEDS = 10  # whose skipped files are named


def print_data(path: Path, fmt: Format) -> None:
    """Copy the bytes of a file to standard output."""
    if sys.stdout.isatty() and fmt is Format.PARQUET:
        log.warning("Parquet is not for terminals; redirect it, or give --format csv")
        return
    sys.stdout.flush()
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def print_document(command: str, document: Mapping[str, Any], status: str = "succeeded") -> None:
    """Print the one JSON document of a command."""
    head = {"schema_version": SCHEMA_VERSION, "command": command, "status": status}
    print(json.dumps(head | dict(document)))


def log_stage_summary(result: "StageResult") -> None:
    """Log a line of what came in and out, and one of what was rejected."""
    document = result.document
    records = document["records"]
    facts = "".join(f", {count:,} {fact}" for fact, count in result.computed.facts.items())
    log.info(
        f"{document['command']} as of {document['as_of']}: {records['lines']:,} lines in, "
        f"{rejected_text(records)}, {records['superseded']:,} superseded; "
        f"{', '.join(_rows_text(result))}{facts}; {result.elapsed_s:.1f} s",
        extra={"fields": document},
    )
    rules = result.request.options.rules
    log_issues(document["issues"], records, rules, result.record_folder)
    _warn_of_gates(result)
    for file in result.computed.manifest.skipped:
        log.info(f"skipped {escape_control_chars(str(file))}")


def _warn_of_gates(result: "StageResult") -> None:
    """Warn where the workflow would not publish what a stage by hand has read."""
    from healthpipe.publishing.audit import describe_input_failures

    computed = result.computed
    failures = describe_input_failures(computed.counts, computed.manifest)
    if failures:
        log.warning(f"{failures}: orchestrate would not publish this")


def _rows_text(result: "StageResult") -> Iterator[str]:
    """Describe what was written, a text for each view; a second format of it is not counted."""
    rows = sum_by_name((file.view, file.format, file.rows) for file in result.files)
    sizes = sum_by_name((file.view, file.format, file.bytes) for file in result.files)
    for view, count in rows.items():
        label = f"{view} " if len(rows) > 1 else ""
        yield f"{label}{count:,} rows ({size_text(sizes[view])})"


def show_preview(preview: "PreviewTable", next_command: str) -> None:
    """Print a table on standard error, and the next command to try.

    What is too wide is folded: an id that is shortened is another id.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=preview.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown = [row[:PREVIEW_COLUMNS] for row in preview.rows]
    texts = [["" if cell is None else escape_control_chars(str(cell)) for cell in r] for r in shown]
    for place, column in enumerate(preview.columns[:PREVIEW_COLUMNS]):
        are_numbers = any(isinstance(row[place], (int, Decimal)) for row in shown)
        longest = max((len(row[place]) for row in texts), default=0)
        table.add_column(
            column,
            overflow="fold",
            justify="right" if are_numbers else "left",
            min_width=longest if longest <= UNFOLDED else None,
        )
    for row in texts:
        table.add_row(*map(Text, row))
    console = Console(stderr=True)
    console.print(table)
    console.print(f"next: {next_command}", highlight=False, markup=False, soft_wrap=True)


def sum_by_name(files: Iterable[tuple[str, str, int]]) -> dict[str, int]:
    """Sum a number of files by name, of each name in the format that comes first."""
    formats: dict[str, str] = {}
    totals: dict[str, int] = {}
    for name, fmt, number in files:
        if formats.setdefault(name, fmt) == fmt:
            totals[name] = totals.get(name, 0) + number
    return totals


def rejected_text(records: Mapping[str, int]) -> str:
    """Say how many lines were rejected, and how many of them are resolved if any are."""
    resolved = f" ({records['resolved']:,} resolved)" if records["resolved"] else ""
    return f"{records['rejected']:,} rejected{resolved}"


def log_issues(
    issues: Mapping[str, int], records: Mapping[str, int], rules: "Rules", folder: str
) -> None:
    """Log the rejected lines, as a warning unless all of them are resolved, and other issues."""
    rejecting = rules.of_severity(Severity.REJECT)
    rejected = {reason: count for reason, count in issues.items() if reason in rejecting}
    warned = {reason: count for reason, count in issues.items() if reason not in rejecting}
    if rejected:
        level = logging.WARNING if records["rejected"] > records["resolved"] else logging.INFO
        log.log(level, f"rejected: {_counts_text(rejected)}; kept in {folder}/rejects.parquet")
    if warned:
        log.info(f"issues: {_counts_text(warned)}; listed in {folder}/issues.parquet")


def log_changes(now: "RunWarnings", before: "RunWarnings", folder: str) -> None:
    """Log as warnings what a run warns of and the live run did not, and what has ended."""
    from healthpipe.workflow.changes import changes_of, gate_changes

    ended: list[str] = []
    for name, counts, counts_before, place in (
        ("rejected", now.rejected, before.rejected, "kept in {}/rejects.parquet"),
        ("issues", now.issues, before.issues, "listed in {}/issues.parquet"),
    ):
        found = changes_of(counts, counts_before)
        if found.told:
            texts = (_change_text(counts[key], key, was) for key, was in sorted(found.told.items()))
            log.warning(f"{name}: {', '.join(texts)}; {place.format(folder)}")
        over = [key for key in found.ended if key not in now.rejected and key not in now.issues]
        ended += (f"{counts_before[key]:,} {key}" for key in over)
    skips = changes_of(now.skipped_counts, before.skipped_counts)
    log_skipped({feed: now.skipped[feed] for feed in skips.told}, folder, logging.WARNING)
    ended += (f"skipped {escape_control_chars(feed)}" for feed in skips.ended[:MAX_FEEDS])
    ended += (before.gates[key].message for key in gate_changes(now.gates, before.gates).ended)
    for text in ended:
        log.warning(f"no longer: {text}")


def _change_text(count: int, reason: str, before: int | None) -> str:
    return f"{count:,} {reason}" + ("" if before is None else f" (was {before:,})")


def log_skipped(skipped: Mapping[str, Sequence["SkippedFile"]], folder: str, level: int) -> None:
    """Log a line for each feed with skipped files, up to `MAX_FEEDS`."""
    for feed, files in list(skipped.items())[:MAX_FEEDS]:
        more = f" and {len(files) - 1:,} more of {feed}" if len(files) > 1 else ""
        name = escape_control_chars(f"{files[0].uri}{more}")
        log.log(level, f"skipped {name}: {files[0].reason}")
    if len(skipped) > MAX_FEEDS:
        rest = sum(map(len, list(skipped.values())[MAX_FEEDS:]))
        log.log(level, f"skipped {rest:,} other files; listed in {folder}/inputs.json")


def print_lines(lines: Iterable[str]) -> None:
    """Print lines, as long as somebody reads them: a verdict that follows sets the exit code."""
    try:
        for line in lines:
            print(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal; elsewhere the rows alone, a tab between their columns."""
    if not sys.stdout.isatty():
        print_lines("\t".join(row) for row in rows)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in head:
        is_last = name == head[-1]
        width = len(name) if is_last else None
        table.add_column(name, no_wrap=not is_last, overflow="fold", min_width=width)
    for row in rows:
        table.add_row(*(Text(escape_control_chars(cell)) for cell in row))
    Console(highlight=False).print(table)


def _counts_text(issues: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(issues.items()))


def size_text(number: float) -> str:
    """Format a number of bytes for a person."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def show_statements(request: StageRequest, settings: OutputSettings) -> None:
    """Print the statements of a stage."""
    settings.start_logging()
    plan = plan_stage(request)
    if settings.json:
        print_document(f"sql {request.stage.name}", {"statements": plan.statements})
    else:
        _print_script(plan.statements)


def show_stage_plan(request: StageRequest, settings: OutputSettings) -> None:
    """Print what a stage would read, query and write."""
    settings.start_logging()
    _show(request.stage.name, plan_stage(request), settings)


def show_workflow_plan(request: RunRequest, execution: Execution, settings: OutputSettings) -> None:
    """Print what a run of the workflow would read, query and write."""
    settings.start_logging()
    _show("orchestrate", plan_workflow(request, execution.start.date()), settings)


def _show(command: str, plan: Plan, settings: OutputSettings) -> None:
    if settings.json:
        print_document(command, plan.to_json(), "planned")
        return
    for line in _comments(plan):
        print(f"-- {line}")
    _print_script(plan.statements)


def _comments(plan: Plan) -> Iterator[str]:
    yield from (f"reads {escape_control_chars(file.uri)}" for file in plan.inputs.files)
    yield from (f"skips {escape_control_chars(str(file))}" for file in plan.inputs.skipped)
    yield from (f"makes table {table}" for table in plan.tables)
    yield from (f"writes {escape_control_chars(uri)}" for uri in plan.destinations)


def _print_script(statements: list[str]) -> None:
    for statement in statements:
        print(f"{statement.strip()};\n")
