"""The options of the commands that run the workflow or look at its runs."""

import datetime
import re
from typing import Annotated

import typer

from healthpipe.cli.options import environment, option
from healthpipe.errors import UsageError

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def parse_age(text: str | None) -> datetime.timedelta | None:
    """A whole number of minutes, hours or days, as in 26h. Raises `UsageError`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if match is None:
        raise UsageError(f"--max-age {text!r} is no age", "give for example 90m, 26h or 2d")
    return datetime.timedelta(**{UNITS[match[2]]: int(match[1])})


ForceOption = Annotated[
    bool,
    option("--force", help="Run even if nothing has changed."),
]
LockWaitOption = Annotated[
    float,
    option(
        "--lock-wait",
        metavar="SECONDS",
        min=0,
        envvar=environment("LOCK_WAIT"),
        help="How long to wait for another run to end.",
    ),
]
HeartbeatUrlOption = Annotated[
    str | None,
    option(
        "--heartbeat-url",
        metavar="URL",
        envvar=environment("HEARTBEAT_URL"),
        help="Call URL/start at the start and URL/<exit status> at the end.",
        show_default=False,
    ),
]
MaxAgeOption = Annotated[
    str | None,
    option(
        "--max-age",
        metavar="AGE",
        envvar=environment("MAX_AGE"),
        help="Fail with 3 unless a run succeeded within this age, as 90m, 26h or 2d.",
        show_default=False,
    ),
]
AllRunsOption = Annotated[
    bool,
    option("--all", help="Also the stages that were run by hand."),
]
RunIdArgument = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="A run's id.  (default: the last run)", show_default=False),
]
