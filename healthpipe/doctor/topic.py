"""What alerts by SNS need: a topic that somebody listens to."""

from healthpipe.alerts.channels import region_of
from healthpipe.aws.access import AwsAccess
from healthpipe.aws.session import client
from healthpipe.doctor.asking import asked
from healthpipe.doctor.checks import Check, Finding, Verdict
from healthpipe.doctor.environment import IDENTITY


def topic_checks(topic: str, access: AwsAccess) -> list[Check]:
    """The check of the topic that alerts go to; that it takes one is for `alert --test` to see."""
    return [Check("topic", lambda: _topic(topic, access), needs=IDENTITY)]


def _topic(topic: str, access: AwsAccess) -> Finding | str:
    there = AwsAccess(access.region or region_of(topic), access.profile)
    sns = client("sns", there)
    answer = asked(
        "sns:GetTopicAttributes", topic, lambda: sns.get_topic_attributes(TopicArn=topic)
    )
    if answer is None:
        told = f"there is no topic {topic}"
        return Finding("topic", Verdict.FAILED, told, "create it, or mend --sns-topic")
    listening = int(answer["Attributes"].get("SubscriptionsConfirmed", 0))
    if not listening:
        fix = "subscribe somebody, and have the subscription confirmed"
        return Finding("topic", Verdict.WARNING, f"{topic} has no subscribers", fix)
    many = "1 subscriber" if listening == 1 else f"{listening} subscribers"
    return f"{topic} has {many}; `healthpipe alert --test` sends a message"
