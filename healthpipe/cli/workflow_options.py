"""The options of the workflow's commands, declared once."""

from pathlib import Path
from typing import Annotated

import typer

from healthpipe.choices import Drawing
from healthpipe.cli.options import environment, option

WorkflowArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="A workflow in Amazon States Language.  (default: the one that orchestrate runs)",
        show_default=False,
    ),
]
DrawingOption = Annotated[
    Drawing,
    option("--format", envvar=environment("DRAWING"), help="Lines, or a Mermaid state diagram."),
]
