"""The commands about the lines that a run rejected."""

import base64
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from healthpipe.choices import Format, QuarantineGroup
from healthpipe.cli.console import OutputSettings, log
from healthpipe.cli.options import (
    AwsOptions,
    LimitOption,
    MemoryOptions,
    MessageOptions,
    OutputOption,
    RootOptions,
)
from healthpipe.cli.output import OutputTarget
from healthpipe.cli.render import print_data, print_table
from healthpipe.cli.signature import expand_options, one_call_option, option
from healthpipe.contract import RULES, Reason
from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from healthpipe.ingest.manifest import InputFile
    from healthpipe.ingest.unpacking import Record
    from healthpipe.quarantine.rejects import Quarantine
    from healthpipe.stages.resolutions import RejectedLine, Selection, Tally
    from healthpipe.storage.layout import Root

_MEANINGS = {rule.reason.value: rule.meaning for rule in RULES}

quarantine = typer.Typer(
    name="quarantine",
    no_args_is_help=True,
    add_completion=False,
    help="List, show, export and replay the lines that a run rejected.",
    epilog="Try: healthpipe quarantine list, then healthpipe quarantine show --reason not_json.",
)

RUN_HELP = "The run whose rejected lines are meant.  (default: the newest)"
RunArgument = Annotated[
    str | None, typer.Argument(metavar="RUN_ID", help=RUN_HELP, show_default=False)
]
RunOption = Annotated[str | None, one_call_option("--run", metavar="RUN_ID", help=RUN_HELP)]
RepairedArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="The repaired lines; - is standard input.")
]
ByOption = Annotated[QuarantineGroup, option("--by", help="What the lines are counted by.")]
WithResolvedOption = Annotated[
    bool, one_call_option("--all", help="Lines that are resolved already, too.")
]
ForceOption = Annotated[
    bool, one_call_option("--force", help="Overwrite a file that is there already.")
]


@dataclass(frozen=True)
class LineOptions(RootOptions):
    """Which rejected lines are meant."""

    reason: Annotated[
        Reason | None,
        one_call_option(
            "--reason",
            metavar="REASON",
            help="Only lines rejected for this reason, as `quarantine list` names it.",
        ),
    ] = None
    source: Annotated[
        str | None,
        one_call_option(
            "--source",
            metavar="NAME",
            help="Only lines of this file, as `quarantine list --by file` names it.",
        ),
    ] = None

    def query(self, aws: AwsOptions, run_id: str | None) -> "QuarantineQuery":
        """Return the query for these lines of a run. Raises `UsageError`."""
        from healthpipe.stages.resolutions import Selection

        return QuarantineQuery(self.open(aws), run_id, Selection(self.reason, self.source))


@quarantine.command("list")
@expand_options
def list_(
    context: typer.Context,
    *,
    run_id: RunArgument = None,
    by: ByOption = QuarantineGroup.REASON,
    lines: LineOptions,
    memory: MemoryOptions,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Count the rejected lines of a run, by reason or by file.

    For example: healthpipe quarantine list --by file
    """
    list_lines(lines.query(aws, run_id), by, messages.apply())


@quarantine.command("show")
@expand_options
def show(
    context: typer.Context,
    *,
    run_id: RunArgument = None,
    limit: LimitOption = 20,
    lines: LineOptions,
    memory: MemoryOptions,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Show the rejected lines as they came, where they stand, and all their reasons.

    For example: healthpipe quarantine show --reason not_json --limit 5
    """
    show_lines(lines.query(aws, run_id), limit, messages.apply())


@quarantine.command("export")
@expand_options
def export(
    context: typer.Context,
    *,
    run_id: RunArgument = None,
    lines: LineOptions,
    with_resolved: WithResolvedOption = False,
    output: OutputOption = None,
    force: ForceOption = False,
    memory: MemoryOptions,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Write the rejected lines to a file, to be repaired in an editor and replayed.

    For example: healthpipe quarantine export -o repaired.ndjson
    """
    query, target, settings = lines.query(aws, run_id), OutputTarget(output), messages.apply()
    if not force:
        target.require_new(query.root.access)
    export_lines(query, target, settings, with_resolved=with_resolved)


@quarantine.command("replay")
@expand_options
def replay(
    context: typer.Context,
    *,
    repaired: RepairedArgument,
    run: RunOption = None,
    lines: LineOptions,
    memory: MemoryOptions,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Add repaired lines to the raw files, and note which rejected lines they resolve.

    For example: healthpipe quarantine replay repaired.ndjson
    """
    replay_file(lines.query(aws, run), repaired, messages.apply())


@dataclass(frozen=True)
class QuarantineQuery:
    """Which rejected lines of which run are meant."""

    root: "Root"
    run_id: str | None
    selection: "Selection"

    @contextmanager
    def open(self) -> Iterator["Quarantine"]:
        """Open the quarantine of that run. Raises `RunNotFound`, and `UsageError` for a source
        that it has not read.
        """
        from healthpipe.quarantine.rejects import open_quarantine

        with open_quarantine(self.root, self.run_id) as quarantine:
            if self.selection.source is not None:
                quarantine.require_source(self.selection.source)
            yield quarantine


def list_lines(query: QuarantineQuery, by: QuarantineGroup, settings: OutputSettings) -> None:
    """Print a line for each reason or file: how many lines, how many resolved, what it means."""
    from healthpipe.stages.resolutions import tallies, tally

    with settings.session(), query.open() as quarantine:
        groups = tallies(quarantine.engine, by, query.selection)
        total = tally(quarantine.engine, query.selection)
    _log_if_empty(query, quarantine, total)
    if settings.json:
        documents = [
            {by.value: name, "lines": each.lines, "resolved": each.resolved, **_meaning(name, by)}
            for name, each in groups.items()
        ]
        counts = {"rejected": total.lines, "resolved": total.resolved}
        _print_document(
            "list", quarantine, {"records": counts, "by": by.value, "groups": documents}
        )
        return
    rows = [
        (name, str(each.lines), str(each.resolved), *_meaning(name, by).values())
        for name, each in groups.items()
    ]
    meaning = ["meaning"] if by is QuarantineGroup.REASON else []
    print_table([by.value, "lines", "resolved", *meaning], rows)


def show_lines(query: QuarantineQuery, limit: int, settings: OutputSettings) -> None:
    """Print the first `limit` rejected lines, each with its file, number and reasons."""
    from healthpipe.stages.resolutions import rejected_lines, tally

    with settings.session() as progress, query.open() as quarantine:
        total = tally(quarantine.engine, query.selection)
        lines = list(itertools.islice(rejected_lines(quarantine.engine, query.selection), limit))
        progress.step("looking for the lines in their files")
        places = quarantine.places(lines)
    _log_if_empty(query, quarantine, total)
    inputs = quarantine.inputs()
    shown = [
        _line_document(line, place, inputs[line.source], quarantine.uri)
        for line, place in zip(lines, places, strict=True)
    ]
    if settings.json:
        _print_document("show", quarantine, {"total": total.lines, "lines": shown})
        return
    print_table(("source", "number", "reasons", "line"), list(map(_line_row, shown)))
    if len(shown) < total.lines:
        log.info(f"{total.lines - len(shown):,} more; --limit {total.lines} shows all")


def export_lines(
    query: QuarantineQuery, target: OutputTarget, settings: OutputSettings, *, with_resolved: bool
) -> None:
    """Write the lines to a file that only the user can read, or print them."""
    from healthpipe.quarantine.rejects import export_lines as write_lines
    from healthpipe.stages.resolutions import rejected_lines, tally
    from healthpipe.storage import open_storage

    if target.output is None:
        raise UsageError("export needs -o", "name a file, or - for standard output")
    if target.is_standard_output and settings.json:
        raise UsageError("-o - and --json both want standard output", "drop one of them")
    target.require_writable([query.root.raw], query.root.access)
    with settings.session(), query.open() as quarantine:
        rejected = rejected_lines(quarantine.engine, query.selection)
        lines = (line for line in rejected if with_resolved or not line.is_resolved)
        local = quarantine.scratch / "lines"
        exported = write_lines(lines, local)
        _log_if_empty(query, quarantine, tally(quarantine.engine, query.selection))
        if target.path is None:
            print_data(local, Format.NDJSON)
        else:
            open_storage(target.path, query.root.access).deliver(local, target.path)
    show = f"`{query.root.command('quarantine', 'show', quarantine.run_id)}` names them"
    if exported.whole_files:
        log.warning(f"left out: {exported.whole_files:,} files rejected whole; {show}")
    if exported.kept_in_files:
        log.warning(f"left out: {exported.kept_in_files:,} lines kept in files; {show}")
    log.info(f"{exported.rows:,} rejected lines of run {quarantine.run_id}")
    if settings.json:
        left_out = {"files": exported.whole_files, "kept_in": exported.kept_in_files}
        output = {"path": target.path, "rows": exported.rows}
        _print_document("export", quarantine, {"output": output, "left_out": left_out})
    elif target.path and not settings.quiet:
        print(target.path)


def replay_file(query: QuarantineQuery, file: str, settings: OutputSettings) -> None:
    """Add the repaired lines to a raw file, print its path, log which lines they resolve."""
    from healthpipe.quarantine.replay import replay

    with settings.session(), query.open() as quarantine:
        result = replay(quarantine, file, query.selection)
    rest = f"; {result.unrepaired:,} left as they were" if result.unrepaired else ""
    if result.path is None:
        log.info(f"nothing was added: {file} has no repaired line{rest}")
    elif result.is_new:
        log.info(
            f"{result.repaired:,} repaired lines resolve {result.resolved:,} rejected ones"
            f" of run {result.run_id}{rest}"
        )
    else:
        log.info(f"nothing was added: these {result.repaired:,} lines are there already{rest}")
    if settings.json:
        _print_document("replay", quarantine, result.to_json())
    elif result.path and not settings.quiet:
        print(result.path)


def _meaning(name: str, by: QuarantineGroup) -> dict[str, str]:
    return {"meaning": _MEANINGS[name]} if by is QuarantineGroup.REASON else {}


def _log_if_empty(query: QuarantineQuery, quarantine: "Quarantine", total: "Tally") -> None:
    from healthpipe.stages.resolutions import Selection

    if not total.lines:
        of_that = "" if query.selection == Selection() else " of that reason or file"
        log.info(f"nothing{of_that} is quarantined in run {quarantine.run_id}")


def _print_document(name: str, quarantine: "Quarantine", document: dict[str, Any]) -> None:
    preface = {
        "schema_version": 1,
        "command": f"quarantine {name}",
        "run_id": quarantine.run_id,
        "status": "succeeded",
    }
    print(json.dumps(preface | document))


def _line_document(
    rejected: "RejectedLine", place: "Record | None", file: "InputFile", run_folder: str
) -> dict[str, Any]:
    """Describe a line as JSON: its text, or its bytes in base64 where they are not UTF-8.

    `number` is that of the line on which it begins, `item` its own in the container there. Without
    a line, `look_at` is the file that holds it.
    """
    text, encoding = _encoded(rejected.line)
    document = {
        "source": rejected.source,
        "number": place and place.line,
        "item": place and place.item,
        "reasons": list(rejected.reasons),
        "resolved": rejected.is_resolved,
        "line": text,
        "encoding": encoding,
    }
    if rejected.line is None:
        kept_in = rejected.kept_in
        document["look_at"] = f"{run_folder}/{kept_in}" if kept_in else file.uri
    return document


def _line_row(document: dict[str, Any]) -> tuple[str, str, str, str]:
    """Describe a line as a row of a table, from its document."""
    number = "?" if document["number"] is None else str(document["number"])
    if document["line"] is None:
        number = "-"
    elif document["item"] is not None:
        number += f"#{document['item']}"
    reasons = ", ".join(document["reasons"]) + (" (resolved)" if document["resolved"] else "")
    if document["line"] is None:
        line = f"(look at {document['look_at']})"
    else:
        line = ("base64:" if document["encoding"] == "base64" else "") + document["line"]
    return document["source"], number, reasons, line


def _encoded(line: bytes | None) -> tuple[str | None, str | None]:
    if line is None:
        return None, None
    try:
        return line.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(line).decode(), "base64"
