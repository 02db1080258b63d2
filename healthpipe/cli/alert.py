"""The command that tries out the alerts."""

from typing import Any

import typer

from healthpipe.cli.aws_options import root_of
from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import AWS, MANNER, declare

CHANNEL = ("sns_topic", "region", "profile")


def alert(context: typer.Context, **given: Any) -> None:
    """Send a test message where the alerts of runs go, and say where that is.

    For example: healthpipe alert --test
    """
    from healthpipe.alerts.channels import open_channel
    from healthpipe.cli.run_alert import send_test

    channel = open_channel(*(given[name] for name in CHANNEL))
    send_test(root_of(given), channel, OutputSettings.of(given), wanted=given["send_test"])


declare(alert, ("send_test", "root", "sns_topic", *AWS, *MANNER))
