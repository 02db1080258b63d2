"""Where alerts go: an SNS topic, or the console. boto3 is loaded when a message is sent.

What stopped a message on its way to SNS, in words that say what to do.
"""

import logging
import queue
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from healthpipe.aws.errors import ErrorKind, error_kind, error_name, explain_error
from healthpipe.aws.session import AwsAccess
from healthpipe.errors import AlertNotSent, HealthpipeError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

log = logging.getLogger("healthpipe")

# What SNS takes: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SNS_BYTES = 262_144
SUBJECT_CHARACTERS = 99
CUT = "\n..."
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}")
# As much as a person reads, and a terminal still scrolls back to.
CONSOLE_BYTES = 8_000

CONNECT_SECONDS = 3
READ_SECONDS = 5
ATTEMPTS = 3
# The attempts with their pauses fit in; looking up names and fetching credentials have no limits
# of their own.
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Message:
    """One alert. The subject is one line of at most 99 ASCII characters, the body any text."""

    subject: str
    body: str

    def __post_init__(self) -> None:
        plain = self.subject.isascii() and self.subject.isprintable()
        if not (plain and 0 < len(self.subject) <= SUBJECT_CHARACTERS and self.body.encode()):
            raise ValueError("a message needs a short ASCII subject and a body")

    @property
    def size(self) -> int:
        """Its bytes in UTF-8, all in all."""
        return len(self.subject) + len(self.body.encode())

    def within(self, limit: int) -> "Message":
        """The message, the end of its body cut off where it has more bytes than `limit`."""
        if self.size <= limit:
            return self
        kept = self.body.encode()[: limit - len(self.subject) - len(CUT)]
        return Message(self.subject, kept.decode(errors="ignore") + CUT)


class Channel(Protocol):
    """Takes messages of at most `limit` bytes; `where` says to a person where they go."""

    name: str
    limit: int
    where: str

    def send(self, message: Message) -> None:
        """Hand a message over. Raises `AlertNotSent` if it was not taken."""


class ConsoleChannel:
    """Messages on standard error, as warnings: --quiet keeps them, --log-format applies."""

    name = "console"
    limit = CONSOLE_BYTES
    where = "standard error"

    def send(self, message: Message) -> None:
        """Write a message. Raises `AlertNotSent` where standard error is closed or full."""
        text, fields = f"{message.subject}\n{message.body}", {"fields": {"alert": self.name}}
        record = log.makeRecord(log.name, logging.WARNING, "", 0, text, (), None, extra=fields)
        handlers = (each for each in log.handlers if isinstance(each, logging.StreamHandler))
        # Not handed to the handler: it would swallow the errors of a full disk.
        handler = next(handlers, logging.StreamHandler())
        try:
            handler.stream.write(handler.format(record) + handler.terminator)
            handler.stream.flush()
        except (OSError, ValueError, AttributeError) as error:
            raise AlertNotSent(
                "standard error cannot be written", "redirect it elsewhere or give --sns-topic"
            ) from error


class SnsChannel:
    """Messages to a topic of Amazon SNS, which hands them to its subscribers.

    It waits for SNS for at most `patience` seconds in all: a message that was not taken leaves the
    next one that much less, so a dead SNS does not hold up a run again and again.
    """

    name = "sns"
    limit = SNS_BYTES

    def __init__(
        self,
        topic_arn: str,
        region: str | None = None,
        profile: str | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.where = topic_arn
        self._region = region or region_of(topic_arn)
        self._profile = profile
        self._patience = patience

    def send(self, message: Message) -> None:
        """Publish a message. Raises `AlertNotSent`, whatever the reason."""
        began = time.monotonic()
        try:
            self._publish_in_time(message)
        except AlertNotSent:
            self._patience -= time.monotonic() - began
            raise

    def _publish_in_time(self, message: Message) -> None:
        outcome: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def publish() -> None:
            try:
                self._publish(message)
            except Exception as error:  # told to whoever waits
                outcome.put(error)
            else:
                outcome.put(None)

        if self._patience > 0:
            threading.Thread(target=publish, name="publish to SNS", daemon=True).start()
        try:
            failure = outcome.get(timeout=max(self._patience, 0))
        except queue.Empty:
            raise AlertNotSent(
                "SNS did not take the alert: it did not answer in time",
                "check the network and the proxy",
            ) from None
        if failure:
            raise explain(failure, self.where, self._region) from failure

    def _publish(self, message: Message) -> None:
        self._client().publish(TopicArn=self.where, Subject=message.subject, Message=message.body)

    def _client(self) -> "SNSClient":
        from healthpipe.aws.session import Patience, client

        access = AwsAccess(self._region, self._profile)
        return client("sns", access, Patience(CONNECT_SECONDS, READ_SECONDS, ATTEMPTS))


def region_of(topic_arn: str) -> str:
    """The region of an SNS topic. Raises `UsageError` for what is no standard topic's ARN."""
    found = TOPIC.fullmatch(topic_arn)
    if not found:
        kind = "is a FIFO topic" if topic_arn.endswith(".fifo") else "is not the ARN of a topic"
        raise UsageError(
            f"--sns-topic {topic_arn!r} {kind}",
            "give a standard topic, like arn:aws:sns:us-east-1:123456789012:alerts",
        )
    return found[1]


def open_channel(
    topic: str | None, region: str | None = None, profile: str | None = None
) -> Channel:
    """The topic's channel, else the console. Raises `UsageError` for a topic that is none."""
    return ConsoleChannel() if topic is None else SnsChannel(topic, region, profile)


# Where a topic and its messages call for other words than AWS at large.
_OF_TOPICS = {
    ErrorKind.THROTTLED: ("it takes no more messages for now", "try again later"),
    ErrorKind.NOT_FOUND: (
        "there is no topic {topic} in {region}",
        "check --sns-topic, --region and --profile",
    ),
    ErrorKind.INVALID: (
        "it refused a parameter",
        "check that {topic} is in {region} and takes messages of 256 KiB",
    ),
    ErrorKind.KEY_REFUSED: (
        "the key that encrypts the topic cannot be used",
        "allow kms:GenerateDataKey and kms:Decrypt on the key of {topic}",
    ),
    ErrorKind.UNKNOWN: (
        "it failed with {name}",
        "try again later; `healthpipe alert --test --debug` shows more",
    ),
}


def explain(failure: Exception, topic: str, region: str) -> AlertNotSent:
    """The failure of a call as one line: what happened and what to do next."""
    if isinstance(failure, HealthpipeError):
        what, hint = failure.message, failure.hint
    elif (kind := error_kind(failure)) in _OF_TOPICS:
        facts = {"topic": topic, "region": region, "name": error_name(failure)}
        what, hint = (text.format(**facts) for text in _OF_TOPICS[kind])
    else:
        found = explain_error(failure, "sns:Publish", topic)
        what, hint = found.what, found.hint
    return AlertNotSent(f"SNS did not take the alert: {what}", hint)
