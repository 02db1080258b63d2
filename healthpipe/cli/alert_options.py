"""The options of the alerts, declared once."""

from typing import Annotated

import typer

from healthpipe.cli.options import environment, option


def check_topic(topic: str | None) -> str | None:
    """The topic as given. Raises `UsageError` for what is none, before anything is done."""
    if topic is not None:
        from healthpipe.alerts.channels import region_of

        region_of(topic)
    return topic


SnsTopicOption = Annotated[
    str | None,
    option(
        "--sns-topic",
        metavar="ARN",
        envvar=environment("SNS_TOPIC"),
        callback=check_topic,
        help="Amazon SNS topic that alerts go to.  (default: standard error)",
        show_default=False,
    ),
]
NotifySuccessOption = Annotated[
    bool,
    option(
        "--notify-success",
        envvar=environment("NOTIFY_SUCCESS"),
        help="An alert also when a run succeeds.",
    ),
]
SendTestOption = Annotated[
    bool, typer.Option("--test", help="Send a test message through the channel of the alerts.")
]
