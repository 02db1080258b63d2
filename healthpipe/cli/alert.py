"""The command that sends a test alert."""

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from healthpipe.cli.console import OutputSettings, log
from healthpipe.cli.options import AwsOptions, MessageOptions, RootOptions, TopicOptions
from healthpipe.cli.render import print_document
from healthpipe.cli.signature import expand_options, one_call_option
from healthpipe.errors import AlertNotSent, UsageError

if TYPE_CHECKING:
    from healthpipe.alerts.channels import Channel
    from healthpipe.storage.layout import Root

TestOption = Annotated[
    bool, one_call_option("--test", help="Send a test message through the channel of the alerts.")
]


@expand_options
def alert(
    context: typer.Context,
    *,
    send_test: TestOption = False,
    root: RootOptions,
    topic: TopicOptions,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Send a test message where the alerts of runs go, and say where that is.

    For example: healthpipe alert --test
    """
    from healthpipe.alerts.channels import open_channel

    channel = open_channel(topic.sns_topic, aws.region, aws.profile)
    opened = root.open(aws)
    settings = messages.apply()
    if not send_test:
        raise UsageError("alert does nothing by itself", "give --test to send a test message")
    again = opened.command("alert", test=True, sns_topic=topic.sns_topic)
    send_test_message(opened, channel, again, settings)


def send_test_message(
    root: "Root", channel: "Channel", command: str, settings: OutputSettings
) -> None:
    """Send a test message and print where it went; `command` does it again.

    Raises `AlertNotSent`.
    """
    from healthpipe.alerts.notifier import Notifier

    notifier = Notifier(root, channel, datetime.datetime.now(datetime.UTC))
    with settings.session() as progress:
        progress.step(f"sending to {channel.where}")
        delivery = notifier.test()
    if delivery.problem:
        raise AlertNotSent(delivery.problem, f"then run `{command}` again")
    log.info(f"a test message was taken by {channel.where}")
    if settings.json:
        document = {"channel": {"name": channel.name, "where": channel.where}}
        print_document("alert", document | delivery.to_json())
    elif not settings.quiet:
        print(channel.where)
