"""What was told and what is still to be, as one document, and how each event changes it.

A change may be applied twice: the second time it changes nothing.

The state of the alerts in the storage: read, and changed without losing others' changes.
"""

import datetime
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from healthpipe.alerts.channels import Message
from healthpipe.contract import Tier
from healthpipe.errors import HealthpipeError, ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root

SCHEMA_VERSION = 1
MOST_PENDING = 20
DAYS_REMEMBERED = 90


class Announcement(NamedTuple):
    """In which tier an accreditation was announced last, and on which day (UTC) a run saw it.

    Without a tier it was seen, and its announcement is still due.
    """

    tier: Tier | None
    seen: str


@dataclass(frozen=True)
class FailureRecord:
    """A kind of failure: a step and an error code. Times are ISO 8601 in UTC.

    `first` and `last` are those of the present series, which ends when a run succeeds.
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
        """Its kind: the same step failing with the same code is the same failure."""
        return f"{self.step}/{self.code}"


@dataclass(frozen=True)
class PendingMessage:
    """A message that no channel has taken yet, when it was written, and of which failure it is."""

    subject: str
    body: str
    at: str
    failure: str | None = None

    def __post_init__(self) -> None:
        Message(self.subject, self.body)
        datetime.datetime.fromisoformat(self.at)


@dataclass
class AlertState:
    """The document: accreditations by the key of their row, failures by step and code."""

    announced: dict[str, Announcement] = field(default_factory=dict)
    failures: dict[str, FailureRecord] = field(default_factory=dict)
    pending: list[PendingMessage] = field(default_factory=list)

    @classmethod
    def parse(cls, content: bytes) -> "AlertState":
        """The document that `to_bytes` made. Raises `ValueError` for anything else."""
        try:
            document = json.loads(content)
            version, announced = document["schema_version"], _announced(document["announced"])
            failures = [FailureRecord(**one) for one in document["failures"].values()]
            pending = [PendingMessage(**one) for one in document["pending"]]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("not the state of the alerts") from error
        if version != SCHEMA_VERSION:
            raise ValueError("the state of the alerts of another version")
        return cls(announced, {failure.key: failure for failure in failures}, pending)

    def to_bytes(self) -> bytes:
        """The document as it is stored."""
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "announced": _grouped(self.announced),
            "failures": {key: asdict(failure) for key, failure in self.failures.items()},
            "pending": [asdict(pending) for pending in self.pending],
        }
        return json.dumps(document).encode()

    def announce(self, tiers: Mapping[str, Tier], today: str) -> None:
        """Accreditations were announced in these tiers."""
        shared = {tier: Announcement(tier, today) for tier in Tier}
        self.announced.update((key, shared[tier]) for key, tier in tiers.items())

    def see(self, keys: Iterable[str], today: str) -> None:
        """Accreditations were seen, and not announced."""
        shared = {tier: Announcement(tier, today) for tier in (None, *Tier)}
        for key in keys:
            known = self.announced.get(key)
            self.announced[key] = shared[known.tier if known else None]

    def forget(self, today: datetime.date) -> None:
        """Drop the accreditations that no run has seen for 90 days."""
        oldest = (today - datetime.timedelta(DAYS_REMEMBERED)).isoformat()
        for key in [key for key, told in self.announced.items() if told.seen < oldest]:
            del self.announced[key]

    def note(self, failure: FailureRecord) -> None:
        """A run failed: a series of failures begins, or goes on."""
        known = self.failures.get(failure.key)
        first = known.first if known and known.open else failure.first
        last_sent = known.last_sent if known else None
        self.failures[failure.key] = replace(failure, first=first, last_sent=last_sent)

    def close(self, failures: Iterable[FailureRecord]) -> None:
        """Failures are over, but for those that were met again meanwhile."""
        for failure in failures:
            known = self.failures.get(failure.key)
            if known and known.last == failure.last:
                self.failures[failure.key] = replace(known, open=False)

    def sent(self, message: PendingMessage, at: str) -> None:
        """A message was taken: it is to be sent no more, nor is an earlier one of its failure."""
        self.pending = self._others(message)
        known = self.failures.get(message.failure or "")
        if known:
            self.failures[known.key] = replace(known, last_sent=at)

    def keep(self, message: PendingMessage) -> None:
        """A message was not taken. It replaces an earlier one of its failure."""
        self.pending = [*self._others(message), message][-MOST_PENDING:]

    def _others(self, message: PendingMessage) -> list[PendingMessage]:
        return [
            each
            for each in self.pending
            if each != message and not (each.failure and each.failure == message.failure)
        ]


def _grouped(announced: Mapping[str, Announcement]) -> list[dict[str, Any]]:
    """The keys of each tier and day: hundreds of thousands share a few of them."""
    groups: dict[Announcement, list[str]] = {}
    for key, told in announced.items():
        groups.setdefault(told, []).append(key)
    return [{"tier": told.tier, "seen": told.seen, "keys": keys} for told, keys in groups.items()]


def _announced(groups: list[dict[str, Any]]) -> dict[str, Announcement]:
    announced: dict[str, Announcement] = {}
    for group in groups:
        tier = None if group["tier"] is None else Tier(group["tier"])
        told = Announcement(tier, datetime.date.fromisoformat(group["seen"]).isoformat())
        announced.update(dict.fromkeys(group["keys"], told))
    return announced


ATTEMPTS = 10


class StateStore:
    """The state as it was read, and its changes, each stored at once.

    `problems` says, each in one line, what is wrong with it; `is_usable` whether it can be read
    and written. A state that is damaged is set aside, and a new one begun.
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
            self._give_up(error)

    def change(self, change: Callable[[AlertState], None]) -> bool:
        """Apply a change and store the state; whether that succeeded.

        Where somebody else stored one since, the change is applied to theirs.
        """
        try:
            if self.is_usable:
                self._store(change)
        except (HealthpipeError, OSError) as error:
            self._give_up(error)
        return self.is_usable

    def _store(self, change: Callable[[AlertState], None]) -> None:
        for _ in range(ATTEMPTS):
            if not self._is_current:
                self._read()
            change(self.state)
            self.state.forget(self._now.date())
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
        if content is not None and content == self._content:  # nobody else has stored one
            return
        self._content = content
        try:
            self.state = AlertState() if content is None else AlertState.parse(content)
        except ValueError:
            self.state = AlertState()
            self._set_aside(content or b"")

    def _set_aside(self, content: bytes) -> None:
        beside = self._root.damaged_alerts(f"{self._now:%Y%m%dT%H%M%SZ}")
        self._root.storage.write(beside, content)
        self.problems.append(
            f"{self._root.alerts} was damaged and is kept as {beside}; what was announced before"
            " may be announced again"
        )
        self._store(lambda _: None)

    def _give_up(self, error: Exception) -> None:
        self.is_usable = False
        why = " ".join(str(error).split())
        self.problems.append(f"{self._root.alerts} cannot be kept: {why}")


def read_state(root: Root) -> AlertState:
    """The state as it is, for a look at it; an empty one where it is damaged."""
    found = root.storage.read(root.alerts)
    try:
        return AlertState.parse(found[0]) if found else AlertState()
    except ValueError:
        return AlertState()
