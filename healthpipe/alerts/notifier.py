"""One call at the alert desk: its messages, in order, until the channel does not take one.

The desk where a run hands in what others should know; it tells each thing once.

What was told is noted after the channel took it. A process that is killed in between tells the
same again in the next run: every message is sent at least once.
"""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from healthpipe.alerts import messages
from healthpipe.alerts.channels import Channel, Message
from healthpipe.alerts.expiry import DueAnnouncements, ExpiringRow
from healthpipe.alerts.messages import Digest, Failure, MessagePart, max_lines, message_parts
from healthpipe.alerts.state import (
    AlertState,
    FailureRecord,
    PendingMessage,
    StateStore,
    read_state,
)
from healthpipe.errors import AlertNotSent
from healthpipe.storage.layout import Root


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


class DeliverySession:
    """Sends messages and notes it. After one that was not taken it does not try another."""

    def __init__(self, channel: Channel, ledger: StateStore, now: datetime.datetime) -> None:
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
            noted = partial(AlertState.sent, message=pending, at=self._now)
            if not (self.send(messages.delayed_message(pending)) and self.ledger.change(noted)):
                return

    def send_or_keep(
        self,
        message: Message,
        note: Callable[[AlertState], None] | None = None,
        failure: str | None = None,
    ) -> None:
        """Send a message, `note` what it tells; if it is not taken, keep it for a later call."""
        pending = PendingMessage(message.subject, message.body, self._now, failure)
        was_sent = self.send(message)

        def change(state: AlertState) -> None:
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


__all__ = ["Delivery", "ExpiringRow", "Failure", "Notifier", "open_failure"]

QUIET_TIME = datetime.timedelta(hours=24)
# The most messages about accreditations that a channel gets from one run; others get one.
MOST_MESSAGES = {"sns": 5}


class Notifier:
    """Tells a channel about the runs of a root. `now` is the run's start, aware of its zone.

    No method raises because a channel or the state cannot be reached: see `Delivery.problem`.
    """

    def __init__(self, root: Root, channel: Channel, now: datetime.datetime) -> None:
        self._root = root
        self._channel = channel
        self._now = now.astimezone(datetime.UTC)

    def failed(self, failure: Failure) -> Delivery:
        """Tell that a run failed, unless the same failure was told within 24 hours."""
        call = self._call(instead_of=failure.key)
        now = self._now.isoformat()
        record = FailureRecord(failure.run_id, failure.step, failure.code, now, now)
        known = call.ledger.state.failures.get(failure.key)
        if known and known.last_sent and self._is_recent(known.last_sent):
            call.ledger.change(partial(AlertState.note, failure=record))
            return call.delivery(suppressed=1)
        since = known.first if known and known.open else None
        message = messages.failure_message(self._root.place, failure, since)
        call.send_or_keep(message, partial(AlertState.note, failure=record), failure.key)
        return call.delivery()

    def recovered_and_succeeded(
        self, run_id: str, facts: Mapping[str, Any], *, wants_success: bool
    ) -> Delivery:
        """Tell that failures are over, if any were open; and, if wanted, that a run succeeded."""
        call = self._call()
        over = [each for each in call.ledger.state.failures.values() if each.open]
        if over:
            message = messages.recovery_message(self._root.place, run_id, over)
            call.send_or_keep(message, partial(AlertState.close, failures=over))
        if wants_success:
            call.send_or_keep(messages.success_message(self._root.place, run_id, facts))
        return call.delivery()

    def expiring(
        self,
        run_id: str,
        as_of: datetime.date,
        rows: Iterable[ExpiringRow],
        *,
        include_expired: bool = False,
    ) -> Delivery:
        """Announce what no run has announced in its tier or a more urgent one.

        `rows`, in any order, are all accreditations of current facilities that have lapsed before
        `as_of` or expire in the window. Lapsed ones that no run saw before they did are left out,
        unless `include_expired`: a first run would announce years of them.
        """
        call = self._call()
        if not call.ledger.is_usable:  # what cannot be noted would be announced in every run
            return call.delivery()
        limit, most = self._channel.limit, MOST_MESSAGES.get(self._channel.name, 1)
        due = DueAnnouncements.of(
            rows,
            call.ledger.state.announced,
            include_expired=include_expired,
            most=max_lines(limit, most),
        )
        parts = message_parts(due, Digest(self._root.place, run_id, as_of), limit, most)
        taken = self._send_parts(call, parts)
        seen = due.known.union(*(part.told for part in parts[taken:]))
        if seen:
            today = self._now.date().isoformat()
            call.ledger.change(partial(AlertState.see, keys=seen, today=today))
        announced = sum(len(part.told) for part in parts[:taken])
        return call.delivery(announced, len(due.known))

    def test(self) -> Delivery:
        """Send a message that only shows that messages arrive. Nothing is noted or kept."""
        try:
            self._channel.send(messages.test_message(self._root.place))
        except AlertNotSent as error:
            return Delivery(problem=f"{error.message}; {error.hint}")
        return Delivery(sent=1)

    def _call(self, instead_of: str | None = None) -> DeliverySession:
        call = DeliverySession(self._channel, StateStore(self._root, self._now), self._now)
        call.send_pending(instead_of)
        return call

    def _send_parts(self, call: DeliverySession, parts: Sequence[MessagePart]) -> int:
        """How many parts the channel took, each noted before the next is sent."""
        for number, part in enumerate(parts):
            if not call.send(part.message):
                return number
            today = self._now.date().isoformat()
            if not call.ledger.change(partial(AlertState.announce, tiers=part.told, today=today)):
                return number + 1
        return len(parts)

    def _is_recent(self, moment: str) -> bool:
        return abs(self._now - datetime.datetime.fromisoformat(moment)) < QUIET_TIME


def open_failure(root: Root) -> dict[str, Any] | None:
    """The failure met last of those that no run has succeeded after: its run, step, code, when it
    was met first and last, when it was sent last.
    """
    failures = read_state(root).failures.values()
    open_ones = [failure for failure in failures if failure.open]
    return asdict(max(open_ones, key=lambda each: each.last)) if open_ones else None
