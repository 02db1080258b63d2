"""What alerts by SNS need: a topic that somebody listens to."""

from healthpipe.alerts.channels import region_of
from healthpipe.aws.access import AwsAccess
from healthpipe.aws.clients import client
from healthpipe.aws.failures import failures_told
from healthpipe.doctor.checks import Check, Finding, Verdict
from healthpipe.doctor.storage import IDENTITY


def topic_checks(topic: str, access: AwsAccess) -> list[Check]:
    """The check of the topic that alerts go to; that it takes one is for `alert --test` to see."""
    return [Check("topic", lambda: _topic(topic, access), needs=IDENTITY)]


def _topic(topic: str, access: AwsAccess) -> Finding | str:
    there = AwsAccess(access.region or region_of(topic), access.profile)
    with failures_told("sns:GetTopicAttributes", topic):
        found = client("sns", there).get_topic_attributes(TopicArn=topic)["Attributes"]
    listening = int(found.get("SubscriptionsConfirmed", 0))
    if not listening:
        fix = "subscribe somebody, and have the subscription confirmed"
        return Finding("topic", Verdict.WARNING, f"{topic} has no subscribers", fix)
    return f"{topic} has {listening} subscribers; `healthpipe alert --test` sends a message"
