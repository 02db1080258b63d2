"""The command that tells what the columns of each output are."""

from collections.abc import Sequence
from dataclasses import asdict, astuple
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from healthpipe.cli.console import OutputSettings
from healthpipe.cli.options import MessageOptions
from healthpipe.cli.render import print_document, print_table
from healthpipe.cli.signature import expand_options
from healthpipe.contract import RULES
from healthpipe.errors import UsageError

ViewArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[OUTPUT|rules]",
        help="Only this output, or the rules.  (default: all outputs, a line each)",
        show_default=False,
    ),
]


@expand_options
def describe(
    context: typer.Context, *, view: ViewArgument = None, messages: MessageOptions
) -> None:
    """Tell the columns, types and meaning of each output.

    For example: healthpipe describe facility_labs
    """
    settings = messages.apply()
    settings.start_logging()
    describe_any(view, settings)


def describe_any(name: str | None, settings: OutputSettings) -> None:
    """Describe all outputs without a name, the rules, or one output. Raises `UsageError`."""
    if name is None:
        describe_all(settings)
    elif name == "rules":
        describe_rules(settings)
    else:
        describe_view(name, settings)


def describe_all(settings: OutputSettings) -> None:
    """Print a line for each output, with the command that writes it."""
    from healthpipe.engines.sql import summary
    from healthpipe.stages.catalog import VIEWS, written_by

    rows = [(name, written_by(view), summary(view.sql_name)) for name, view in VIEWS.items()]
    _render(
        ("output", "written by", "what it is"), rows, {"views": _view_documents(rows)}, settings
    )


def describe_rules(settings: OutputSettings) -> None:
    """Print a line for each rule of the records."""
    names = ("reason", "severity", "field", "broken when", "what to do")
    rows = [astuple(rule) for rule in RULES]
    document = {"rules": [asdict(rule) for rule in RULES]}
    _render(names, rows, document, settings)


def describe_view(name: str, settings: OutputSettings) -> None:
    """Print a line for each column of one output. Raises `UsageError` for a name that is none."""
    from healthpipe.engines.sql import columns, summary
    from healthpipe.stages.catalog import VIEWS

    if name not in VIEWS:
        near = get_close_matches(name, VIEWS, n=1) or [", ".join(VIEWS)]
        raise UsageError(f"there is no output {name!r}", f"try {near[0]}")
    described = columns(VIEWS[name].sql_name)
    rows = [(column.name, column.type, column.meaning) for column in described]
    document = {
        "view": name,
        "summary": summary(VIEWS[name].sql_name),
        "columns": [asdict(column) for column in described],
    }
    _render(("column", "type", "meaning"), rows, document, settings)


def _view_documents(rows: Sequence[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [dict(zip(("view", "written_by", "summary"), row, strict=True)) for row in rows]


def _render(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    document: dict[str, Any],
    settings: OutputSettings,
) -> None:
    if settings.json:
        print_document("describe", document)
    else:
        print_table(head, rows)
