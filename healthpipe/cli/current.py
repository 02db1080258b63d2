"""The command that shows what is live."""

from typing import Annotated

import typer

from healthpipe.cli.options import (
    ConfigOption,
    DebugOption,
    JsonOption,
    LogFormatOption,
    OutputOption,
    QuietOption,
    RootOption,
)
from healthpipe.cli.shared import Manner
from healthpipe.words import LogFormat, PublishedStage


def current(
    stage: Annotated[
        PublishedStage | None, typer.Argument(help="Only this stage's file.", show_default=False)
    ] = None,
    root: RootOption = "./data",
    output: OutputOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    config: ConfigOption = None,
) -> None:
    """Show where the live published files are, or with -o - what is in one.

    For example: healthpipe current state-counts -o -
    """
    from healthpipe.cli.run_workflow import show_current

    show_current(stage, root, output, Manner(json, quiet, debug, log_format))
