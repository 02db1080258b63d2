"""The lines that a run rejected, for a person or as JSON."""

import itertools
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from healthpipe.choices import Format, QuarantineGroup
from healthpipe.cli.aws_options import root_of
from healthpipe.cli.console import log
from healthpipe.cli.rejected import as_document, as_row
from healthpipe.cli.render import print_data, print_table
from healthpipe.cli.shared import OutputSettings, OutputTarget
from healthpipe.contract import RULES
from healthpipe.errors import UsageError
from healthpipe.quarantine.rejects import Quarantine, open_quarantine
from healthpipe.quarantine.rejects import export_lines as write_lines
from healthpipe.quarantine.replay import replay
from healthpipe.stages.resolutions import Selection, Tally, rejected_lines, tallies, tally
from healthpipe.storage import open_storage
from healthpipe.storage.layout import Root

MEANINGS = {rule.reason.value: rule.meaning for rule in RULES}


@dataclass(frozen=True)
class QuarantineQuery:
    """Which rejected lines a user asks about."""

    root: Root
    run_id: str | None
    selection: Selection

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "QuarantineQuery":
        """What a command was given: the run is an argument of most and an option of one."""
        run_id = given.get("run_id") or given.get("run")
        return cls(root_of(given), run_id, Selection(given["reason"], given["source"]))

    def open(self) -> AbstractContextManager[Quarantine]:
        """The quarantine of that run. Raises `RunNotFound`."""
        return open_quarantine(self.root, self.run_id)


def list_lines(asked: QuarantineQuery, by: QuarantineGroup, manner: OutputSettings) -> None:
    """A line for each reason or file: how many lines, how many resolved, what it means."""
    with manner.session(), asked.open() as quarantine:
        found = tallies(quarantine.engine, by, asked.selection)
        total = tally(quarantine.engine, asked.selection)
    _say_if_nothing(asked, quarantine, total)
    if manner.json:
        groups = [
            {by.value: name, "lines": each.lines, "resolved": each.resolved, **_meaning(name, by)}
            for name, each in found.items()
        ]
        counts = {"rejected": total.lines, "resolved": total.resolved}
        _print_document("list", quarantine, {"records": counts, "by": by.value, "groups": groups})
        return
    rows = [
        (name, str(each.lines), str(each.resolved), *_meaning(name, by).values())
        for name, each in found.items()
    ]
    meaning = ["meaning"] if by is QuarantineGroup.REASON else []
    print_table([by.value, "lines", "resolved", *meaning], rows)


def show_lines(asked: QuarantineQuery, limit: int, manner: OutputSettings) -> None:
    """Each rejected line with its file, number and reasons; the first `limit` of them."""
    with manner.session() as progress, asked.open() as quarantine:
        total = tally(quarantine.engine, asked.selection)
        lines = list(itertools.islice(rejected_lines(quarantine.engine, asked.selection), limit))
        progress.step("looking for the line numbers")
        numbers = quarantine.numbers(lines)
    _say_if_nothing(asked, quarantine, total)
    inputs = quarantine.inputs()
    shown = [
        as_document(line, number, inputs[line.source], quarantine.uri)
        for line, number in zip(lines, numbers, strict=True)
    ]
    if manner.json:
        _print_document("show", quarantine, {"total": total.lines, "lines": shown})
        return
    print_table(("source", "number", "reasons", "line"), list(map(as_row, shown)))
    if len(shown) < total.lines:
        log.info(f"{total.lines - len(shown):,} more; --limit {total.lines} shows all")


def export_lines(
    asked: QuarantineQuery, place: OutputTarget, manner: OutputSettings, *, with_resolved: bool
) -> None:
    """Write the lines to a file of the user's alone, or print them."""
    if place.output is None:
        raise UsageError("export needs -o", "name a file, or - for standard output")
    if place.is_standard_output and manner.json:
        raise UsageError("-o - and --json both want standard output", "drop one of them")
    place.require_writable([asked.root.raw], asked.root.access)
    with manner.session(), asked.open() as quarantine:
        chosen = rejected_lines(quarantine.engine, asked.selection)
        lines = (line for line in chosen if with_resolved or not line.is_resolved)
        local = quarantine.scratch / "lines"
        exported = write_lines(lines, local)
        _say_if_nothing(asked, quarantine, tally(quarantine.engine, asked.selection))
        if place.path is None:
            print_data(local, Format.NDJSON)
        else:
            open_storage(place.path, asked.root.access).deliver(local, place.path)
    show = f"`healthpipe quarantine show {quarantine.run_id}` names them"
    if exported.whole_files:
        log.warning(f"left out: {exported.whole_files:,} files rejected whole; {show}")
    if exported.kept_in_files:
        log.warning(f"left out: {exported.kept_in_files:,} lines kept in files; {show}")
    log.info(f"{exported.rows:,} rejected lines of run {quarantine.run_id}")
    if manner.json:
        left_out = {"files": exported.whole_files, "kept_in": exported.kept_in_files}
        output = {"path": place.path, "rows": exported.rows}
        _print_document("export", quarantine, {"output": output, "left_out": left_out})
    elif place.path and not manner.quiet:
        print(place.path)


def replay_file(asked: QuarantineQuery, file: str, manner: OutputSettings) -> None:
    """Add the mended lines, print the path of the raw file that has them, say what they answer."""
    with manner.session(), asked.open() as quarantine:
        result = replay(quarantine, file, asked.selection)
    unmended = f"; {result.unrepaired:,} left as they were" if result.unrepaired else ""
    if result.path is None:
        log.info(f"nothing was added: {file} has no mended line{unmended}")
    elif result.is_new:
        log.info(
            f"{result.repaired:,} mended lines answer as many rejected ones"
            f" of run {result.run_id}{unmended}"
        )
    else:
        log.info(f"nothing was added: these {result.repaired:,} lines are there already{unmended}")
    if manner.json:
        _print_document("replay", quarantine, result.to_json())
    elif result.path and not manner.quiet:
        print(result.path)


def _meaning(name: str, by: QuarantineGroup) -> dict[str, str]:
    return {"meaning": MEANINGS[name]} if by is QuarantineGroup.REASON else {}


def _say_if_nothing(asked: QuarantineQuery, quarantine: Quarantine, total: Tally) -> None:
    if not total.lines:
        of_that = "" if asked.selection == Selection() else " of that reason or file"
        log.info(f"nothing{of_that} is quarantined in run {quarantine.run_id}")


def _print_document(name: str, quarantine: Quarantine, document: dict[str, Any]) -> None:
    preface = {
        "schema_version": 1,
        "command": f"quarantine {name}",
        "run_id": quarantine.run_id,
        "status": "succeeded",
    }
    print(json.dumps(preface | document))
