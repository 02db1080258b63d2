"""A test of the alerts, for a person or as JSON."""

import datetime

from healthpipe.alerts.channels import Channel
from healthpipe.alerts.notifier import Notifier
from healthpipe.cli.console import log
from healthpipe.cli.render import print_document
from healthpipe.cli.shared import OutputSettings
from healthpipe.errors import AlertNotSent, UsageError
from healthpipe.storage.layout import Root


def send_test(root: Root, channel: Channel, manner: OutputSettings, *, wanted: bool) -> None:
    """Send it and print where it went. Raises `AlertNotSent` if the channel did not take it."""
    if not wanted:
        raise UsageError("alert does nothing by itself", "give --test to send a test message")
    desk = Notifier(root, channel, datetime.datetime.now(datetime.UTC))
    with manner.session() as progress:
        progress.step(f"sending to {channel.where}")
        delivery = desk.test()
    if delivery.problem:
        raise AlertNotSent(delivery.problem, "then run `healthpipe alert --test` again")
    log.info(f"a test message was taken by {channel.where}")
    if manner.json:
        taken = {"channel": {"name": channel.name, "where": channel.where}}
        print_document("alert", taken | delivery.to_json())
    elif not manner.quiet:
        print(channel.where)
