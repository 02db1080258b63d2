"""What a person sees of a result."""

import json
import logging
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from healthpipe.choices import Format
from healthpipe.cli.console import log
from healthpipe.contract import Severity
from healthpipe.publishing.audit import (
    Audit,
    Level,
    count_rejected_files,
    describe_results,
    judge_input,
)
from healthpipe.publishing.gates import Gates
from healthpipe.stages.results import PreviewTable
from healthpipe.stages.rules import Rules
from healthpipe.text import escape_control_chars
from healthpipe.workflow.stage_run import StageResult

PREVIEW_COLUMNS = 5
SCHEMA_VERSION = 1


def print_data(path: Path, fmt: Format) -> None:
    """The bytes of a file on standard output."""
    if sys.stdout.isatty() and fmt is Format.PARQUET:
        log.warning("Parquet is not for terminals; redirect it, or give --format csv")
        return
    sys.stdout.flush()
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def print_document(command: str, told: Mapping[str, Any], status: str = "succeeded") -> None:
    """The one JSON document of a command, on standard output."""
    head = {"schema_version": SCHEMA_VERSION, "command": command, "status": status}
    print(json.dumps(head | dict(told)))


def show_stage_summary(result: StageResult) -> None:
    """One line of what came in and out, and one for what was turned away."""
    document = result.document
    records = document["records"]
    facts = "".join(f", {count:,} {fact}" for fact, count in result.computed.facts.items())
    log.info(
        f"{document['command']} as of {document['as_of']}: {records['lines']:,} lines in, "
        f"{rejected_count(records)}, {records['superseded']:,} superseded; "
        f"{', '.join(_written(result))}{facts}; {result.elapsed_s:.1f} s",
        extra={"fields": document},
    )
    rules = result.request.options.rules
    show_issues(document["issues"], records, rules, result.record_folder)
    _warn_by_hand(result)
    for name in result.computed.manifest.skipped:
        log.info(f"skipped {name}: not a name that is read")


def _warn_by_hand(result: StageResult) -> None:
    """A stage by hand goes on where the workflow would stop, and says so."""
    rejected_files = count_rejected_files(result.computed.counts.issues)
    files = len(result.computed.manifest.files)
    found = judge_input(Gates.choose(), result.computed.counts.balance, rejected_files, files)
    if failed := Audit(found).of_level(Level.FAIL):
        log.warning(f"{describe_results(failed)}: orchestrate would not publish this")


def _written(result: StageResult) -> Iterator[str]:
    """What was written, one text a view; a file that is a twin of another is not told apart."""
    rows = sums((file.view, file.format, file.rows) for file in result.files)
    sizes = sums((file.view, file.format, file.bytes) for file in result.files)
    for view, count in rows.items():
        what = f"{view} " if len(rows) > 1 else ""
        yield f"{what}{count:,} rows ({size_text(sizes[view])})"


def sums(files: Iterable[tuple[str, str, int]]) -> dict[str, int]:
    """The sums of numbers of files by name, of each in the format that comes first."""
    formats: dict[str, str] = {}
    found: dict[str, int] = {}
    for name, fmt, number in files:
        if formats.setdefault(name, fmt) == fmt:
            found[name] = found.get(name, 0) + number
    return found


def rejected_count(records: Mapping[str, int]) -> str:
    """How many lines were rejected, and how many of them are resolved if any are."""
    resolved = f" ({records['resolved']:,} resolved)" if records["resolved"] else ""
    return f"{records['rejected']:,} rejected{resolved}"


def show_issues(
    issues: Mapping[str, int], records: Mapping[str, int], rules: Rules, folder: str
) -> None:
    """A warning for lines that were rejected, a note if mended ones have answered all of them; a
    note for rules that were broken otherwise.
    """
    rejecting = rules.of_severity(Severity.REJECT)
    rejected = {reason: count for reason, count in issues.items() if reason in rejecting}
    warned = {reason: count for reason, count in issues.items() if reason not in rejecting}
    if rejected:
        level = logging.WARNING if records["rejected"] > records["resolved"] else logging.INFO
        log.log(level, f"rejected: {_counts(rejected)}; kept in {folder}/rejects.parquet")
    if warned:
        log.info(f"issues: {_counts(warned)}; listed in {folder}/issues.parquet")


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal; elsewhere the rows alone, a tab between their columns."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
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


def show_preview(preview: PreviewTable) -> None:
    """A table on standard error, and what to try next."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=preview.title, title_justify="left")
    for column in preview.columns[:PREVIEW_COLUMNS]:
        table.add_column(column, no_wrap=True)
    for row in preview.rows:
        cells = ("" if cell is None else str(cell) for cell in row[:PREVIEW_COLUMNS])
        table.add_row(*map(Text, cells))
    console = Console(stderr=True)
    console.print(table)
    console.print(f"next: {preview.next_command}", highlight=False)


def _counts(issues: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(issues.items()))


def size_text(number: float) -> str:
    """A number of bytes for a person."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
