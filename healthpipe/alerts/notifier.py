"""The notifier: sends the alerts of a run, each once.

A message is recorded in the alert state after the channel accepted it. A process that is killed in
between sends it again in the next run: every message is sent at least once.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from healthpipe.alerts import messages
from healthpipe.alerts.channels import Channel, Message
from healthpipe.alerts.expiry import (
    AnnouncementMessage,
    DueAnnouncements,
    ExpiringRow,
    MessageHead,
    announcement_messages,
    max_lines,
)
from healthpipe.alerts.messages import Failure, RunSummary
from healthpipe.alerts.state import (
    AlertState,
    FailureRecord,
    PendingMessage,
    StateStore,
    read_state,
)
from healthpipe.errors import AlertNotSent
from healthpipe.storage.layout import Root

__all__ = ["Delivery", "ExpiringRow", "Failure", "Notifier", "RunSummary", "open_failure"]

REPEAT_AFTER = datetime.timedelta(hours=24)
# The most messages about accreditations that a channel gets from one run; others get one.
MAX_MESSAGES = {"sns": 5}


@dataclass(frozen=True)
class Delivery:
    """The result of a notification: messages sent (late ones too), accreditations announced.

    `suppressed` counts what was not sent because it was before: a failure, or accreditations.
    `problem` is one line when the channel or the storage failed.
    """

    sent: int = 0
    announced: int = 0
    suppressed: int = 0
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the delivery as documents have it."""
        return asdict(self)


class Notifier:
    """Notifies a channel about the runs of a root. `now` is the run's start, with its time zone.

    No method raises because the channel or the storage fails: see `Delivery.problem`.
    """

    def __init__(self, root: Root, channel: Channel, now: datetime.datetime) -> None:
        self._root = root
        self._channel = channel
        self._now = now.astimezone(datetime.UTC)

    def notify_failure(self, failure: Failure) -> Delivery:
        """Notify that a run failed, unless the same failure was sent within 24 hours."""
        session = self._open_session(except_failure=failure.key)
        now = self._now.isoformat()
        record = FailureRecord(failure.run_id, failure.step, failure.code, now, now)
        previous = session.store.state.failures.get(failure.key)
        record_failure = partial(AlertState.record_failure, failure=record)
        if previous and previous.last_sent and self._is_recent(previous.last_sent):
            session.store.update(record_failure)
            return session.delivery(suppressed=1)
        since = previous.first if previous and previous.open else None
        message = messages.failure_message(self._root.absolute_uri, failure, since)
        session.send_or_keep(message, record_failure, failure.key)
        return session.delivery()

    def notify_success(self, summary: RunSummary, *, wants_success: bool) -> Delivery:
        """Notify of a recovery if failures were open; and, if wanted, that a run succeeded."""
        session = self._open_session()
        resolved = [each for each in session.store.state.failures.values() if each.open]
        if resolved:
            message = messages.recovery_message(self._root, summary.run_id, resolved)
            close_failures = partial(AlertState.close_failures, failures=resolved)
            session.send_or_keep(message, close_failures)
        if wants_success:
            session.send_or_keep(messages.success_message(self._root.absolute_uri, summary))
        return session.delivery()

    def announce_expiring(
        self,
        run_id: str,
        as_of: datetime.date,
        rows: Iterable[ExpiringRow],
        list_all: str,
        *,
        include_expired: bool = False,
    ) -> Delivery:
        """Announce the accreditations not announced yet in their tier or a more urgent one.

        `rows`, in any order, are all accreditations of current facilities that have expired before
        `as_of` or expire in the window. Those that had expired before any run saw them are left
        out, unless `include_expired`: a first run would announce years of them. `list_all` is the
        command that lists what the messages have no room for.
        """
        session = self._open_session()
        if not session.store.is_usable:  # what cannot be recorded would be announced in every run
            return session.delivery()
        max_bytes, max_messages = self._channel.limit, MAX_MESSAGES.get(self._channel.name, 1)
        due = DueAnnouncements.of(
            rows,
            session.store.state.announced,
            include_expired=include_expired,
            max_rows=max_lines(max_bytes, max_messages),
        )
        head = MessageHead(self._root.absolute_uri, run_id, as_of, list_all)
        announcements = announcement_messages(due, head, max_bytes, max_messages)
        sent = self._send_announcements(session, announcements)
        unsent = announcements[sent:]
        seen = due.already_announced.union(*(each.tiers for each in unsent))
        if seen:
            session.store.update(partial(AlertState.mark_seen, keys=seen, today=self._today))
        announced = sum(len(each.tiers) for each in announcements[:sent])
        return session.delivery(announced, len(due.already_announced))

    def test(self) -> Delivery:
        """Send a message that only shows that messages arrive. The state is not touched."""
        try:
            self._channel.send(messages.test_message(self._root.absolute_uri))
        except AlertNotSent as error:
            return Delivery(problem=f"{error.message}; {error.hint}")
        return Delivery(sent=1)

    @property
    def _today(self) -> str:
        return self._now.date().isoformat()

    def _open_session(self, except_failure: str | None = None) -> "DeliverySession":
        """Open a session and send pending messages, except the one about a given failure."""
        store = StateStore(self._root, self._now)
        session = DeliverySession(self._channel, store, self._now)
        session.send_pending(except_failure)
        return session

    def _send_announcements(
        self, session: "DeliverySession", announcements: Sequence[AnnouncementMessage]
    ) -> int:
        """Send announcements, each recorded before the next. Returns how many were sent."""
        for number, each in enumerate(announcements):
            if not session.send(each.message):
                return number
            mark = partial(AlertState.mark_announced, tiers=each.tiers, today=self._today)
            if not session.store.update(mark):
                return number + 1
        return len(announcements)

    def _is_recent(self, moment: str) -> bool:
        return abs(self._now - datetime.datetime.fromisoformat(moment)) < REPEAT_AFTER


class DeliverySession:
    """Sends the messages of one notification, and records them in the state.

    After a message that the channel did not accept it does not try another.
    """

    def __init__(self, channel: Channel, store: StateStore, now: datetime.datetime) -> None:
        self.store = store
        self._channel = channel
        self._now = now.isoformat()
        self._sent = 0
        self._channel_problem: str | None = None

    def send(self, message: Message) -> bool:
        """Send a message, cut to the channel's limit. Returns whether it was accepted."""
        if self._channel_problem is None:
            try:
                self._channel.send(message.truncated(self._channel.limit))
            except AlertNotSent as error:
                self._channel_problem = "; ".join(filter(None, (error.message, error.hint)))
            else:
                self._sent += 1
        return self._channel_problem is None

    def send_pending(self, except_failure: str | None = None) -> None:
        """Send messages that earlier runs failed to send, except the one about a given failure."""
        for pending in self.store.state.pending:
            if pending.failure and pending.failure == except_failure:
                continue
            if not self.send(messages.delayed_message(pending)):
                return
            if not self.store.update(partial(AlertState.mark_sent, message=pending, at=self._now)):
                return

    def send_or_keep(
        self,
        message: Message,
        update: Callable[[AlertState], None] | None = None,
        failure: str | None = None,
    ) -> None:
        """Send a message, or keep it pending; and apply an update to the state."""
        pending = PendingMessage(message.subject, message.body, self._now, failure)
        was_sent = self.send(message)

        def apply(state: AlertState) -> None:
            if update:
                update(state)
            if was_sent:
                state.mark_sent(pending, self._now)
            else:
                state.add_pending(pending)

        self.store.update(apply)

    def delivery(self, announced: int = 0, suppressed: int = 0) -> Delivery:
        """Return the result of the session so far."""
        problems = [*self.store.problems, *filter(None, [self._channel_problem])]
        return Delivery(self._sent, announced, suppressed, "; ".join(problems) or None)


def open_failure(root: Root) -> FailureRecord | None:
    """Return the open failure that occurred last; None if a run has succeeded since."""
    failures = [each for each in read_state(root).failures.values() if each.open]
    return max(failures, key=lambda each: each.last, default=None)
