"""The command that tells what the columns of each output are."""

from typing import Annotated, Any

import typer

from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import MANNER, declare

ViewArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[OUTPUT|rules]",
        help="Only this output, or the rules.  (default: all outputs, a line each)",
        show_default=False,
    ),
]


def describe(context: typer.Context, **given: Any) -> None:
    """Tell the columns, types and meaning of each output.

    For example: healthpipe describe facility_labs
    """
    from healthpipe.cli.run_describe import describe_any

    manner = OutputSettings.of(given)
    manner.start_logging()
    describe_any(given["view"], manner)


declare(describe, MANNER, {"view": (ViewArgument, None)})
