"""The command that tells how a root stands."""

from typing import Any

import typer

from healthpipe.cli.aws_options import root_of
from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import AWS, MANNER, declare


def status(context: typer.Context, **given: Any) -> None:
    """Tell what is live, how the last run ended, and with --max-age whether it is too old.

    For example: healthpipe status --max-age 26h
    """
    from healthpipe.cli.run_status import show_status

    show_status(root_of(given), given["max_age"], OutputSettings.of(given))


declare(status, ("root", "max_age", *AWS, *MANNER))
