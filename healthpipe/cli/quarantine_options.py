"""The options of the quarantine, declared once."""

from typing import Annotated

import typer

from healthpipe.choices import QuarantineGroup
from healthpipe.cli.options import environment, option
from healthpipe.contract import Reason

RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN_ID",
        help="The run whose rejected lines are meant.  (default: the newest)",
        show_default=False,
    ),
]
RunOption = Annotated[
    str | None,
    option(
        "--run",
        metavar="RUN_ID",
        help="The run whose rejected lines are meant.  (default: the newest)",
        show_default=False,
    ),
]
MendedArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="The mended lines; - is standard input.")
]
ReasonOption = Annotated[
    Reason | None,
    option(
        "--reason",
        metavar="REASON",
        help="Only lines rejected for this reason, as `quarantine list` names it.",
        show_default=False,
    ),
]
SourceOption = Annotated[
    str | None,
    option(
        "--source",
        metavar="NAME",
        help="Only lines of this file, as `quarantine list --by file` names it.",
        show_default=False,
    ),
]
ByOption = Annotated[
    QuarantineGroup,
    option("--by", envvar=environment("BY"), help="What the lines are counted by."),
]
LimitOption = Annotated[
    int, option("--limit", envvar=environment("LIMIT"), min=1, help="The most lines shown.")
]
WithResolvedOption = Annotated[
    bool,
    option("--all", help="Lines that are resolved already, too."),
]
