"""One call at the alert desk: its messages, in order, until the channel does not take one."""

import datetime
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from healthpipe.alerts import texts
from healthpipe.alerts.channels import Channel, Message
from healthpipe.alerts.ledger import Ledger
from healthpipe.alerts.state import Pending, State
from healthpipe.errors import AlertNotSent


@dataclass(frozen=True)
class Delivery:
    """What became of a call: messages sent (late ones too), accreditations announced by them.

    `suppressed` counts what was not told because it was told before: a failure, or accreditations.
    `problem` is one line when the channel or the storage did not take something.
    """

    sent: int = 0
    announced: int = 0
    suppressed: int = 0
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The delivery as documents show it."""
        return asdict(self)


class Call:
    """Sends messages and notes it. After one that was not taken it does not try another."""

    def __init__(self, channel: Channel, ledger: Ledger, now: datetime.datetime) -> None:
        self.ledger = ledger
        self._channel = channel
        self._now = now.isoformat()
        self._sent = 0
        self._refusal: str | None = None

    def send(self, message: Message) -> bool:
        """Whether the channel took the message."""
        if self._refusal is None:
            try:
                self._channel.send(message.within(self._channel.limit))
            except AlertNotSent as error:
                self._refusal = "; ".join(filter(None, (error.message, error.hint)))
            else:
                self._sent += 1
        return self._refusal is None

    def send_pending(self, instead_of: str | None = None) -> None:
        """Send what no channel took before, but for the message of the failure `instead_of`."""
        for pending in self.ledger.state.pending:
            if pending.failure and pending.failure == instead_of:
                continue
            noted = partial(State.sent, message=pending, at=self._now)
            if not (self.send(texts.late(pending)) and self.ledger.change(noted)):
                return

    def send_or_keep(
        self,
        message: Message,
        note: Callable[[State], None] | None = None,
        failure: str | None = None,
    ) -> None:
        """Send a message, `note` what it tells; if it is not taken, keep it for a later call."""
        pending = Pending(message.subject, message.body, self._now, failure)
        was_sent = self.send(message)

        def change(state: State) -> None:
            if note:
                note(state)
            if was_sent:
                state.sent(pending, self._now)
            else:
                state.keep(pending)

        self.ledger.change(change)

    def delivery(self, announced: int = 0, suppressed: int = 0) -> Delivery:
        """What has become of the call."""
        problems = [*self.ledger.problems, *filter(None, [self._refusal])]
        return Delivery(self._sent, announced, suppressed, "; ".join(problems) or None)
