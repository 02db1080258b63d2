"""The command that tells what the columns of each output are."""

from typing import Annotated

import typer

from healthpipe.cli.options import (
    ConfigOption,
    DebugOption,
    JsonOption,
    LogFormatOption,
    QuietOption,
)
from healthpipe.cli.shared import Manner
from healthpipe.words import LogFormat


def describe(
    view: Annotated[
        str | None,
        typer.Argument(
            metavar="[OUTPUT|rules]",
            help="Only this output, or the rules.  (default: all outputs, a line each)",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    config: ConfigOption = None,
) -> None:
    """Tell the columns, types and meaning of each output.

    For example: healthpipe describe facility_labs
    """
    from healthpipe.cli.run_describe import describe_all, describe_rules, describe_view

    manner = Manner(json, quiet, debug, log_format)
    manner.start_logging()
    if view is None:
        describe_all(manner)
    elif view == "rules":
        describe_rules(manner)
    else:
        describe_view(view, manner)
