"""The outputs as their queries tell them, for a person or as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, astuple
from difflib import get_close_matches
from typing import Any

from healthpipe.cli.render import print_document, print_table
from healthpipe.cli.shared import OutputSettings
from healthpipe.contract import RULES
from healthpipe.engines.sql import columns, summary
from healthpipe.errors import UsageError
from healthpipe.stages.catalog import VIEWS, written_by


def describe_any(name: str | None, manner: OutputSettings) -> None:
    """All outputs without a name, the rules, or one output. Raises `UsageError`."""
    if name is None:
        describe_all(manner)
    elif name == "rules":
        describe_rules(manner)
    else:
        describe_view(name, manner)


def describe_all(manner: OutputSettings) -> None:
    """A line for each output, by the command that writes it."""
    rows = [(name, written_by(view), summary(view.sql_name)) for name, view in VIEWS.items()]
    _render(("output", "written by", "what it is"), rows, {"views": _named(rows)}, manner)


def describe_rules(manner: OutputSettings) -> None:
    """A line for each rule of the records."""
    names = ("reason", "severity", "field", "broken when", "what to do")
    rows = [astuple(rule) for rule in RULES]
    document = {"rules": [asdict(rule) for rule in RULES]}
    _render(names, rows, document, manner)


def describe_view(name: str, manner: OutputSettings) -> None:
    """A line for each column of one output. Raises `UsageError` for a name that is none."""
    if name not in VIEWS:
        near = get_close_matches(name, VIEWS, n=1) or [", ".join(VIEWS)]
        raise UsageError(f"there is no output {name!r}", f"try {near[0]}")
    told = columns(VIEWS[name].sql_name)
    rows = [(column.name, column.type, column.meaning) for column in told]
    document = {
        "view": name,
        "summary": summary(VIEWS[name].sql_name),
        "columns": [asdict(column) for column in told],
    }
    _render(("column", "type", "meaning"), rows, document, manner)


def _named(rows: Sequence[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [dict(zip(("view", "written_by", "summary"), row, strict=True)) for row in rows]


def _render(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    document: dict[str, Any],
    manner: OutputSettings,
) -> None:
    if manner.json:
        print_document("describe", document)
    else:
        print_table(head, rows)
