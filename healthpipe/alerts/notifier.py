"""The desk where a run hands in what others should know; it tells each thing once.

What was told is noted after the channel took it. A process that is killed in between tells the
same again in the next run: every message is sent at least once.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from healthpipe.alerts import texts
from healthpipe.alerts.call import Call, Delivery
from healthpipe.alerts.channels import Channel
from healthpipe.alerts.expiry import Due, ExpiringRow
from healthpipe.alerts.ledger import Ledger, read_state
from healthpipe.alerts.messages import Digest, Part, most_lines, parts_of
from healthpipe.alerts.state import FailureRecord, State
from healthpipe.alerts.texts import Failure
from healthpipe.errors import AlertNotSent
from healthpipe.storage.layout import Root

__all__ = ["AlertDesk", "Delivery", "ExpiringRow", "Failure", "open_failure"]

QUIET_TIME = datetime.timedelta(hours=24)
# The most messages about accreditations that a channel gets from one run; others get one.
MOST_MESSAGES = {"sns": 5}


class AlertDesk:
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
            call.ledger.change(partial(State.note, failure=record))
            return call.delivery(suppressed=1)
        since = known.first if known and known.open else None
        message = texts.failed(self._root.place, failure, since)
        call.send_or_keep(message, partial(State.note, failure=record), failure.key)
        return call.delivery()

    def recovered_and_succeeded(
        self, run_id: str, facts: Mapping[str, Any], *, wants_success: bool
    ) -> Delivery:
        """Tell that failures are over, if any were open; and, if wanted, that a run succeeded."""
        call = self._call()
        over = [each for each in call.ledger.state.failures.values() if each.open]
        if over:
            message = texts.recovered(self._root.place, run_id, over)
            call.send_or_keep(message, partial(State.close, failures=over))
        if wants_success:
            call.send_or_keep(texts.succeeded(self._root.place, run_id, facts))
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
        due = Due.of(
            rows,
            call.ledger.state.announced,
            include_expired=include_expired,
            most=most_lines(limit, most),
        )
        parts = parts_of(due, Digest(self._root.place, run_id, as_of), limit, most)
        taken = self._send_parts(call, parts)
        seen = due.known.union(*(part.told for part in parts[taken:]))
        if seen:
            today = self._now.date().isoformat()
            call.ledger.change(partial(State.see, keys=seen, today=today))
        announced = sum(len(part.told) for part in parts[:taken])
        return call.delivery(announced, len(due.known))

    def test(self) -> Delivery:
        """Send a message that only shows that messages arrive. Nothing is noted or kept."""
        try:
            self._channel.send(texts.test(self._root.place))
        except AlertNotSent as error:
            return Delivery(problem=f"{error.message}; {error.hint}")
        return Delivery(sent=1)

    def _call(self, instead_of: str | None = None) -> Call:
        call = Call(self._channel, Ledger(self._root, self._now), self._now)
        call.send_pending(instead_of)
        return call

    def _send_parts(self, call: Call, parts: Sequence[Part]) -> int:
        """How many parts the channel took, each noted before the next is sent."""
        for number, part in enumerate(parts):
            if not call.send(part.message):
                return number
            today = self._now.date().isoformat()
            if not call.ledger.change(partial(State.announce, tiers=part.told, today=today)):
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
