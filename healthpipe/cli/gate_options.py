"""The options about what is published and what of it stays, declared once."""

from typing import Annotated

import typer

from healthpipe.choices import MAX_KEPT_DAYS
from healthpipe.cli.options import environment, option

AT_MOST = "N|P%"

MaxRejectsOption = Annotated[
    str,
    option(
        "--max-rejects",
        metavar=AT_MOST,
        envvar=environment("MAX_REJECTS"),
        help="The most rejected lines with which a run is published.",
    ),
]
MaxRejectedFilesOption = Annotated[
    str,
    option(
        "--max-rejected-files",
        metavar=AT_MOST,
        envvar=environment("MAX_REJECTED_FILES"),
        help="The most files rejected whole with which a run is published.",
    ),
]
MaxDropOption = Annotated[
    str,
    option(
        "--max-drop",
        metavar=AT_MOST,
        envvar=environment("MAX_DROP"),
        help="The most facilities, and states, fewer than live with which a run is published.",
    ),
]
WarnRejectsOption = Annotated[
    str | None,
    option(
        "--warn-rejects",
        metavar=AT_MOST,
        envvar=environment("WARN_REJECTS"),
        help="Warn of more rejected lines.",
        show_default=False,
    ),
]
WarnRejectedFilesOption = Annotated[
    str | None,
    option(
        "--warn-rejected-files",
        metavar=AT_MOST,
        envvar=environment("WARN_REJECTED_FILES"),
        help="Warn of more files rejected whole.",
        show_default=False,
    ),
]
WarnDropOption = Annotated[
    str | None,
    option(
        "--warn-drop",
        metavar=AT_MOST,
        envvar=environment("WARN_DROP"),
        help="Warn of a larger drop of facilities or states.",
        show_default=False,
    ),
]
AcceptDropOption = Annotated[
    bool, option("--accept-drop", help="Publish this once, however far facilities drop.")
]
KeepOption = Annotated[
    int,
    option(
        "--keep",
        metavar="N",
        envvar=environment("KEEP"),
        min=1,
        help="How many published runs stay, to be rolled back to.",
    ),
]
PruneDaysOption = Annotated[
    int,
    option(
        "--days",
        metavar="N",
        envvar=environment("PRUNE_DAYS"),
        min=0,
        max=MAX_KEPT_DAYS,
        help="How many days the folders of other runs stay.",
    ),
]
DryRunOption = Annotated[
    bool,
    option("--dry-run", help="Only say what would be done."),
]
PublishedRunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN_ID",
        help="The published run to be live again.  (default: the one before the live one)",
        show_default=False,
    ),
]
