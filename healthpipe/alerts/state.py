"""The state of the alerts: announced accreditations, failures and pending messages.

It is one JSON document in the root's storage, written conditionally. An update is applied again to
a state that another process has written meanwhile, so each has to be idempotent.
"""

import datetime
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from healthpipe.alerts.channels import Message
from healthpipe.contract import Tier
from healthpipe.errors import HealthpipeError, NewerDocument, ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root, require_known_version

SCHEMA_VERSION = 1
MAX_PENDING = 20
RETENTION_DAYS = 90


class Announcement(NamedTuple):
    """The tier an accreditation was announced in last, and the day (UTC) a run saw it last.

    Without a tier its announcement is still due.
    """

    tier: Tier | None
    seen: str


@dataclass(frozen=True)
class FailureRecord:
    """A failure of runs: a step and an error code. Times are ISO 8601 in UTC.

    `first` and `last` are its first and last occurrence since a run succeeded, `last_sent` is when
    a message about it was sent, `open` whether no run has succeeded since.
    """

    run_id: str
    step: str
    code: str
    first: str
    last: str
    last_sent: str | None = None
    open: bool = True

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) for name in (self.run_id, self.step, self.code)):
            raise TypeError("a name that is no text")
        for time in (self.first, self.last, self.last_sent or self.last):
            if datetime.datetime.fromisoformat(time).tzinfo is None:
                raise ValueError("a time without its zone")

    @property
    def key(self) -> str:
        """The key of the failure in the state: the same step and code are the same failure."""
        return f"{self.step}/{self.code}"


@dataclass(frozen=True)
class PendingMessage:
    """A message not sent yet, when it was written, and the key of the failure it is about."""

    subject: str
    body: str
    at: str
    failure: str | None = None

    def __post_init__(self) -> None:
        Message(self.subject, self.body)
        datetime.datetime.fromisoformat(self.at)


@dataclass
class AlertState:
    """The document: announcements by `announcement_key`, failures by `FailureRecord.key`."""

    announced: dict[str, Announcement] = field(default_factory=dict)
    failures: dict[str, FailureRecord] = field(default_factory=dict)
    pending: list[PendingMessage] = field(default_factory=list)

    @classmethod
    def parse(cls, content: bytes) -> "AlertState":
        """Parse what `to_bytes` returned.

        Raises `NewerDocument` for that of a newer version, `ValueError` for anything else.
        """
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ValueError("not the state of the alerts") from error
        require_known_version(document, SCHEMA_VERSION, "state/alerts.json")
        try:
            version, announced = document["schema_version"], _parse_announced(document["announced"])
            failures = [FailureRecord(**one) for one in document["failures"].values()]
            pending = [PendingMessage(**one) for one in document["pending"]]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("not the state of the alerts") from error
        if version != SCHEMA_VERSION:
            raise ValueError("the state of the alerts of another version")
        return cls(announced, {failure.key: failure for failure in failures}, pending)

    def to_bytes(self) -> bytes:
        """Serialize the document."""
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "announced": _group_keys(self.announced),
            "failures": {key: asdict(failure) for key, failure in self.failures.items()},
            "pending": [asdict(pending) for pending in self.pending],
        }
        return json.dumps(document).encode()

    def mark_announced(self, tiers: Mapping[str, Tier], today: str) -> None:
        """Note that accreditations were announced, each in its tier by key."""
        shared = {tier: Announcement(tier, today) for tier in Tier}
        self.announced.update((key, shared[tier]) for key, tier in tiers.items())

    def mark_seen(self, keys: Iterable[str], today: str) -> None:
        """Note that a run saw accreditations, without announcing them."""
        shared = {tier: Announcement(tier, today) for tier in (None, *Tier)}
        for key in keys:
            announcement = self.announced.get(key)
            self.announced[key] = shared[announcement.tier if announcement else None]

    def drop_unseen(self, today: datetime.date) -> None:
        """Drop the accreditations that no run has seen for 90 days."""
        oldest = (today - datetime.timedelta(RETENTION_DAYS)).isoformat()
        for key in [key for key, each in self.announced.items() if each.seen < oldest]:
            del self.announced[key]

    def record_failure(self, failure: FailureRecord) -> None:
        """Add a failure; while it is open, it keeps the time of its first occurrence."""
        previous = self.failures.get(failure.key)
        first = previous.first if previous and previous.open else failure.first
        last_sent = previous.last_sent if previous else None
        self.failures[failure.key] = replace(failure, first=first, last_sent=last_sent)

    def close_failures(self, failures: Iterable[FailureRecord]) -> None:
        """Mark failures as recovered, except those that occurred again since they were read."""
        for failure in failures:
            previous = self.failures.get(failure.key)
            if previous and previous.last == failure.last:
                self.failures[failure.key] = replace(previous, open=False)

    def mark_sent(self, message: PendingMessage, at: str) -> None:
        """Note that a message was sent: neither it nor an earlier one of its failure is pending."""
        self.pending = self._pending_without(message)
        previous = self.failures.get(message.failure or "")
        if previous:
            self.failures[previous.key] = replace(previous, last_sent=at)

    def add_pending(self, message: PendingMessage) -> None:
        """Keep a message to be sent later. It replaces an earlier one of its failure."""
        self.pending = [*self._pending_without(message), message][-MAX_PENDING:]

    def _pending_without(self, message: PendingMessage) -> list[PendingMessage]:
        return [
            each
            for each in self.pending
            if each != message and not (each.failure and each.failure == message.failure)
        ]


def _group_keys(announced: Mapping[str, Announcement]) -> list[dict[str, Any]]:
    """Group keys by tier and day, as the document has them: hundreds of thousands share a few."""
    groups: dict[Announcement, list[str]] = {}
    for key, each in announced.items():
        groups.setdefault(each, []).append(key)
    return [{"tier": each.tier, "seen": each.seen, "keys": keys} for each, keys in groups.items()]


def _parse_announced(groups: list[dict[str, Any]]) -> dict[str, Announcement]:
    announced: dict[str, Announcement] = {}
    for group in groups:
        tier = None if group["tier"] is None else Tier(group["tier"])
        seen = datetime.date.fromisoformat(group["seen"]).isoformat()
        announced.update(dict.fromkeys(group["keys"], Announcement(tier, seen)))
    return announced


MAX_ATTEMPTS = 10


class StateStore:
    """Reads the state of a root and stores each update at once.

    `state` is as last read or stored. No method raises because the storage fails: then `is_usable`
    is False, and `problems` says so in one line each. A damaged state is moved aside and replaced.
    """

    def __init__(self, root: Root, now: datetime.datetime) -> None:
        self._root = root
        self._now = now
        self.state = AlertState()
        self.problems: list[str] = []
        self.is_usable = True
        self._etag: str | None = None
        self._content: bytes | None = None
        self._is_current = False
        try:
            self._read()
        except (HealthpipeError, OSError) as error:
            self._disable(error)

    def update(self, apply: Callable[[AlertState], None]) -> bool:
        """Apply an update and store the state. Returns whether that succeeded.

        Where another process has stored one since, the update is applied to that.
        """
        try:
            if self.is_usable:
                self._store(apply)
        except (HealthpipeError, OSError) as error:
            self._disable(error)
        return self.is_usable

    def _store(self, apply: Callable[[AlertState], None]) -> None:
        for _ in range(MAX_ATTEMPTS):
            if not self._is_current:
                self._read()
            apply(self.state)
            self.state.drop_unseen(self._now.date())
            content = self.state.to_bytes()
            if content == self._content:
                return
            self._is_current = False  # the ETag of what is stored now is not known
            try:
                self._root.storage.put_if(self._root.alerts, content, self._etag)
            except PreconditionFailed:
                continue
            self._content = content
            return
        raise ServiceFailed("others keep changing it", "run again")

    def _read(self) -> None:
        content, self._etag = self._root.storage.read(self._root.alerts) or (None, None)
        self._is_current = True
        if content is not None and content == self._content:  # unchanged since
            return
        self._content = content
        try:
            self.state = AlertState() if content is None else AlertState.parse(content)
        except NewerDocument:
            raise
        except ValueError:
            self.state = AlertState()
            self._replace_damaged(content or b"")

    def _replace_damaged(self, content: bytes) -> None:
        moved_to = self._root.damaged_alerts(f"{self._now:%Y%m%dT%H%M%SZ}")
        self._root.storage.write(moved_to, content)
        self.problems.append(
            f"{self._root.alerts} was damaged and is kept as {moved_to}; what was announced before"
            " may be announced again"
        )
        self._store(lambda _: None)

    def _disable(self, error: Exception) -> None:
        self.is_usable = False
        reason = " ".join(str(error).split())
        self.problems.append(f"{self._root.alerts} cannot be kept: {reason}")


def read_state(root: Root) -> AlertState:
    """Read the state without changing it; an empty one where it is missing or damaged.

    Raises `NewerDocument`.
    """
    stored = root.storage.read(root.alerts)
    try:
        return AlertState.parse(stored[0]) if stored else AlertState()
    except NewerDocument:
        raise
    except ValueError:
        return AlertState()
