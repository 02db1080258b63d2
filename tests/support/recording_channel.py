"""An alert channel that records its messages, and can be told to refuse some."""

from dataclasses import dataclass, field

from healthpipe.alerts.channels import SNS_BYTES, Message
from healthpipe.errors import AlertNotSent


@dataclass
class RecordingChannel:
    """Records messages until `takes` of them were taken, then refuses; None takes all."""

    name: str = "sns"
    limit: int = SNS_BYTES
    where: str = "the test"
    takes: int | None = None
    attempts: int = 0
    taken: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.attempts += 1
        if self.takes is not None and len(self.taken) >= self.takes:
            raise AlertNotSent("the line is dead", "wait")
        self.taken.append(message)

    @property
    def subjects(self) -> list[str]:
        return [message.subject for message in self.taken]


def dead() -> RecordingChannel:
    return RecordingChannel(takes=0)
