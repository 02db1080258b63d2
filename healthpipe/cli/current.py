"""The command that shows what is live."""

from typing import Annotated, Any

import typer

from healthpipe.choices import PublishedStage
from healthpipe.cli.aws_options import root_of
from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import AWS, MANNER, declare

StageArgument = Annotated[
    PublishedStage | None, typer.Argument(help="Only this stage's file.", show_default=False)
]


def current(context: typer.Context, **given: Any) -> None:
    """Show where the live published files are, or with -o - what is in one.

    For example: healthpipe current state-counts -o -
    """
    from healthpipe.cli.run_current import show_current

    show_current(given["stage"], root_of(given), given["output"], OutputSettings.of(given))


declare(current, ("root", "output", *AWS, *MANNER), {"stage": (StageArgument, None)})
