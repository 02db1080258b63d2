"""Print data, documents, tables and summaries, and the plan of a dry run as an SQL script."""

import itertools
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
UNFOLDED = 12  # words of a preview up to so many characters, such as dates, stay on one line
LEAST_LAST, MOST_LAST = 20, 60  # the width of a table's last column on a narrow terminal
MAX_FEEDS = 10  # whose skipped files are named, and files that exceed a limit


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
    manifest = result.computed.manifest
    limited = (file for file in manifest.files if file.refusal_detail)
    for refused in itertools.islice(limited, MAX_FEEDS):
        log.warning(refused.described_refusal)
    for file in manifest.skipped:
        log.info(f"skipped {file}")


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

    What is too wide is folded, names of columns at underscores, and columns for which there is no
    room are left out: an id that is shortened is another id.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True)
    rows = [[_cell_text(cell) for cell in row] for row in preview.rows]
    columns = [[name, *(row[place] for row in rows)] for place, name in enumerate(preview.columns)]
    columns = columns[:PREVIEW_COLUMNS]
    heads = [column[0] for column in columns]
    if _width_of(max(map(len, column)) for column in columns) > console.width:
        heads = [head.replace("_", "_\n") for head in heads]
    least: dict[int, int] = {}  # the widths of the columns for which there is room, by their place
    for place, (head, column) in enumerate(zip(heads, columns, strict=True)):
        width = _least_width(head, column[1:])
        if not least or _width_of([*least.values(), width]) <= console.width:
            least[place] = width
    of_all = f" ({len(least)} of {len(columns)} columns)" if len(least) < len(columns) else ""
    title = preview.title + of_all
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, width in least.items():
        are_numbers = any(isinstance(row[place], (int, Decimal)) for row in preview.rows)
        side: Literal["left", "right"] = "right" if are_numbers else "left"
        table.add_column(heads[place], overflow="fold", justify=side, min_width=width)
    for row in rows:
        table.add_row(*(Text(row[place]) for place in least))
    console.print(table)
    console.print(f"next: {next_command}", highlight=False, markup=False, soft_wrap=True)


def _cell_text(cell: object) -> str:
    return "" if cell is None else escape_control_chars(str(cell))


def _least_width(head: str, cells: Sequence[str]) -> int:
    """The width at which a column is still readable: of its longest word, within bounds."""
    words = [word for cell in cells for word in cell.split()]
    longest = max(map(len, words), default=0)
    return max(min(longest, UNFOLDED), *map(len, head.split("\n")))


def _width_of(widths: Iterable[int]) -> int:
    """The width of a table with columns of these widths, with what lies between and around them."""
    return sum(width + 2 for width in widths) + 1


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
    ended += (f"skipped {feed}" for feed in skips.ended[:MAX_FEEDS])
    ended += (before.gates[key].message for key in gate_changes(now.gates, before.gates).ended)
    for text in ended:
        log.warning(f"only in the run before: {text}")


def _change_text(count: int, reason: str, before: int | None) -> str:
    return f"{count:,} {reason}" + ("" if before is None else f" (was {before:,})")


def log_skipped(skipped: Mapping[str, Sequence["SkippedFile"]], folder: str, level: int) -> None:
    """Log a line for each feed with skipped files, up to `MAX_FEEDS`."""
    for feed, files in list(skipped.items())[:MAX_FEEDS]:
        more = f" and {len(files) - 1:,} more of {feed}" if len(files) > 1 else ""
        log.log(level, f"skipped {files[0].uri}{more}: {files[0].reason}")
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
        print_lines("\t".join(_piped(row)) for row in rows)
        return
    rows = [[escape_control_chars(cell) for cell in row] for row in rows]
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in head:
        is_last = name == head[-1]
        table.add_column(name, no_wrap=not is_last, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    # On a terminal that has no room for them the lines run on: no cell but the last is folded.
    *fixed, last = (max(map(len, column)) for column in zip(head, *rows, strict=True))
    console = Console(highlight=False)
    if console.width < _width_of([*fixed, min(last, LEAST_LAST)]):
        console.width = _width_of([*fixed, min(last, MOST_LAST)])
    console.print(table)


def _piped(row: Sequence[str]) -> Iterator[str]:
    """The cells of a row of which the last, such as a rejected line, is as it came but one line."""
    yield from map(escape_control_chars, row[:-1])
    yield row[-1].replace("\n", r"\x0a").replace("\r", r"\x0d")


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
