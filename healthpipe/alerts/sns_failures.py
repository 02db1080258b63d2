"""What stopped a message on its way to SNS, in words that say what to do."""

from healthpipe.aws.errors import Kind, explained, kind_of, name_of
from healthpipe.errors import AlertNotSent, HealthpipeError

# Where a topic and its messages call for other words than AWS at large.
_OF_TOPICS = {
    Kind.THROTTLED: ("it takes no more messages for now", "try again later"),
    Kind.NOT_FOUND: (
        "there is no topic {topic} in {region}",
        "check --sns-topic, --region and --profile",
    ),
    Kind.INVALID: (
        "it refused a parameter",
        "check that {topic} is in {region} and takes messages of 256 KiB",
    ),
    Kind.KEY_REFUSED: (
        "the key that encrypts the topic cannot be used",
        "allow kms:GenerateDataKey and kms:Decrypt on the key of {topic}",
    ),
    Kind.UNKNOWN: (
        "it failed with {name}",
        "try again later; `healthpipe alert --test --debug` shows more",
    ),
}


def explain(failure: Exception, topic: str, region: str) -> AlertNotSent:
    """The failure of a call as one line: what happened and what to do next."""
    if isinstance(failure, HealthpipeError):
        what, hint = failure.message, failure.hint
    elif (kind := kind_of(failure)) in _OF_TOPICS:
        facts = {"topic": topic, "region": region, "name": name_of(failure)}
        what, hint = (text.format(**facts) for text in _OF_TOPICS[kind])
    else:
        found = explained(failure, "sns:Publish", topic)
        what, hint = found.what, found.hint
    return AlertNotSent(f"SNS did not take the alert: {what}", hint)
