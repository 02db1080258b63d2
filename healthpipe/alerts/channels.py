"""Alert channels: an Amazon SNS topic, or the console. boto3 is loaded when a message is sent.

A failed send is an `AlertNotSent` whose message says why and whose hint says what to do.
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
from healthpipe.progress import HAS_LINES
from healthpipe.text import suggested_command

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

log = logging.getLogger("healthpipe")

# Limits of SNS: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SNS_BYTES = 262_144
SUBJECT_CHARACTERS = 99
CUT = "\n..."
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}")
# As much as one reads, and a terminal can still scroll back to.
CONSOLE_BYTES = 8_000

CONNECT_SECONDS = 3
READ_SECONDS = 5
ATTEMPTS = 3
# Of all messages together. The attempts with their pauses fit in; DNS lookups and fetching
# credentials have no timeouts of their own.
TOTAL_SECONDS = 20.0


@dataclass(frozen=True)
class Message:
    """An alert: a subject of one line of at most 99 ASCII characters, and a body of any text."""

    subject: str
    body: str

    def __post_init__(self) -> None:
        plain = self.subject.isascii() and self.subject.isprintable()
        if not (plain and 0 < len(self.subject) <= SUBJECT_CHARACTERS and self.body.encode()):
            raise ValueError("a message needs a short ASCII subject and a body")

    @property
    def size(self) -> int:
        """The bytes of subject and body in UTF-8."""
        return len(self.subject) + len(self.body.encode())

    def truncated(self, max_bytes: int) -> "Message":
        """Return the message with its body cut so that it has at most so many bytes."""
        if self.size <= max_bytes:
            return self
        kept = self.body.encode()[: max_bytes - len(self.subject) - len(CUT)]
        return Message(self.subject, kept.decode(errors="ignore") + CUT)


class Channel(Protocol):
    """Sends messages of at most `limit` bytes; `where` names the destination to a person."""

    name: str
    limit: int
    where: str

    def send(self, message: Message) -> None:
        """Send a message. Raises `AlertNotSent` if it was not accepted."""


class ConsoleChannel:
    """Writes messages to standard error, as warnings: --quiet keeps them, --log-format applies."""

    name = "console"
    limit = CONSOLE_BYTES
    where = "standard error"

    def send(self, message: Message) -> None:
        """Write a message. Raises `AlertNotSent` where standard error is closed or full."""
        text = f"{message.subject}\n{message.body}"
        extra = {"fields": {"alert": self.name}, HAS_LINES: True}
        record = log.makeRecord(log.name, logging.WARNING, "", 0, text, (), None, extra=extra)
        handlers = (each for each in log.handlers if isinstance(each, logging.StreamHandler))
        # Written here, not by the handler, which would swallow the errors of a full disk.
        handler = next(handlers, logging.StreamHandler())
        try:
            handler.stream.write(handler.format(record) + handler.terminator)
            handler.stream.flush()
        except (OSError, ValueError, AttributeError) as error:
            raise AlertNotSent(
                "standard error cannot be written", "redirect it elsewhere or give --sns-topic"
            ) from error


class SnsChannel:
    """Publishes messages to a topic of Amazon SNS.

    All failed sends together take at most `total_seconds`: each leaves the next one less time, so
    that an SNS that does not answer does not delay a run again and again.
    """

    name = "sns"
    limit = SNS_BYTES

    def __init__(
        self,
        topic_arn: str,
        region: str | None = None,
        profile: str | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self.where = topic_arn
        self._access = AwsAccess(region or region_of(topic_arn), profile)
        self._seconds_left = total_seconds

    def send(self, message: Message) -> None:
        """Publish a message. Raises `AlertNotSent`, whatever the reason."""
        start = time.monotonic()
        try:
            self._publish_in_time(message)
        except AlertNotSent:
            self._seconds_left -= time.monotonic() - start
            raise

    def _publish_in_time(self, message: Message) -> None:
        outcome: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def publish() -> None:
            try:
                self._publish(message)
            except Exception as error:  # raised by the waiting thread
                outcome.put(error)
            else:
                outcome.put(None)

        if self._seconds_left > 0:
            threading.Thread(target=publish, name="publish to SNS", daemon=True).start()
        try:
            failure = outcome.get(timeout=max(self._seconds_left, 0))
        except queue.Empty:
            raise AlertNotSent(
                "SNS did not take the alert: it did not answer in time",
                "check the network and the proxy",
            ) from None
        if failure:
            raise explain_failure(failure, self.where, self._access) from failure

    def _publish(self, message: Message) -> None:
        self._client().publish(TopicArn=self.where, Subject=message.subject, Message=message.body)

    def _client(self) -> "SNSClient":
        from healthpipe.aws.session import Timeouts, client

        return client("sns", self._access, Timeouts(CONNECT_SECONDS, READ_SECONDS, ATTEMPTS))


def region_of(topic_arn: str) -> str:
    """Return the region of a standard topic's ARN. Raises `UsageError` for anything else."""
    match = TOPIC.fullmatch(topic_arn)
    if not match:
        kind = "is a FIFO topic" if topic_arn.endswith(".fifo") else "is not the ARN of a topic"
        raise UsageError(
            f"--sns-topic {topic_arn!r} {kind}",
            "give a standard topic, like arn:aws:sns:us-east-1:123456789012:alerts",
        )
    return match[1]


def open_channel(
    topic: str | None, region: str | None = None, profile: str | None = None
) -> Channel:
    """Open the channel of a topic, or the console without one. Raises `UsageError`."""
    return ConsoleChannel() if topic is None else SnsChannel(topic, region, profile)


# The message and hint of errors that are explained differently for SNS than for AWS at large.
_SNS_EXPLANATIONS = {
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
        "try again later; `{test}` shows more",
    ),
}


def explain_failure(failure: Exception, topic: str, access: AwsAccess) -> AlertNotSent:
    """Translate what publishing raised: the reason and what to do next."""
    if isinstance(failure, HealthpipeError):
        reason, hint = failure.message, failure.hint
    elif (kind := error_kind(failure)) in _SNS_EXPLANATIONS:
        test = suggested_command("alert", test=True, debug=True, sns_topic=topic, **vars(access))
        name = error_name(failure)
        facts = {"topic": topic, "region": access.region, "name": name, "test": test}
        reason, hint = (text.format(**facts) for text in _SNS_EXPLANATIONS[kind])
    else:
        explanation = explain_error(failure, "sns:Publish", topic)
        reason, hint = explanation.what, explanation.hint
    return AlertNotSent(f"SNS did not take the alert: {reason}", hint)
