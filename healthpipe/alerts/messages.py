"""The words of all alerts but those about accreditations. No values of records are in them.

The messages about accreditations that lapse: their lines, their order, their parts.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

from healthpipe.alerts.channels import SUBJECT_CHARACTERS, Message
from healthpipe.alerts.expiry import DueAnnouncements, ExpiringRow, announcement_key
from healthpipe.alerts.state import FailureRecord, PendingMessage
from healthpipe.contract import TIER_DAYS, Tier
from healthpipe.text import escape_control_chars, truncate_text

TEXT_CHARACTERS = 1_000


@dataclass(frozen=True)
class Failure:
    """Why a run failed, at which step, and the command that goes on from there."""

    run_id: str
    step: str
    code: str
    message: str
    hint: str
    next_command: str

    @property
    def key(self) -> str:
        """Its kind: the same step failing with the same code is the same failure."""
        return f"{self.step}/{self.code}"


def subject(text: str, ending: str = "") -> str:
    """A subject as SNS takes it: one line of less than 100 ASCII characters, `ending` whole."""
    plain = escape_control_chars(text).encode("ascii", errors="replace").decode()
    return truncate_text(plain, SUBJECT_CHARACTERS - len(ending)) + ending


def failure_message(place: str, failure: Failure, since: str | None) -> Message:
    """A run failed; `since` is when the same failure was met first, if it was met before."""
    facts = {
        "root": place,
        "run": failure.run_id,
        "step": failure.step,
        "reason": failure.message,
        "what helps": failure.hint,
        "next": failure.next_command,
        "failing since": since and _time(since),
    }
    body = (
        f"A run of healthpipe failed at {escape_control_chars(failure.step)}.\n\n{_facts(facts)}\n"
        "This failure is not sent again within 24 hours. You are told when a run succeeds.\n"
    )
    return Message(subject(f"healthpipe: run failed at {_kind(failure)}"), body)


def recovery_message(place: str, run_id: str, failures: Iterable[FailureRecord]) -> Message:
    """A run succeeded after others had failed."""
    over = [
        f"{escape_control_chars(_kind(failure))}: first at {_time(failure.first)}, last at"
        f" {_time(failure.last)} in run {escape_control_chars(failure.run_id)}"
        for failure in failures
    ]
    body = (
        f"A run of healthpipe succeeded again.\n\n{_facts({'root': place, 'run': run_id})}\n"
        "These failures are over:\n" + "\n".join(over) + "\n\n"
        "Should one come back within 24 hours of its last alert, that is not sent again;"
        " `healthpipe status` shows it.\n"
    )
    return Message(subject("healthpipe: recovered, a run succeeded"), body)


def success_message(place: str, run_id: str, facts: Mapping[str, Any]) -> Message:
    """A run succeeded, with facts about it such as counts."""
    told = _facts({"root": place, "run": run_id, **facts})
    return Message(
        subject("healthpipe: run succeeded"), f"A run of healthpipe succeeded.\n\n{told}"
    )


def test_message(place: str) -> Message:
    """A message that only shows that messages arrive."""
    body = (
        "This is a test. Alerts of healthpipe for this root arrive here.\n\n"
        f"{_facts({'root': place})}"
    )
    return Message("healthpipe: test of the alerts", body)


def delayed_message(pending: PendingMessage) -> Message:
    """A message that no channel took when it was written."""
    note = f"Late: this was written at {_time(pending.at)} and could not be sent until now.\n\n"
    return Message(pending.subject, note + pending.body)


def _kind(failure: Failure | FailureRecord) -> str:
    return f"{failure.step} ({failure.code.replace('_', ' ')})"


def _time(moment: str) -> str:
    time = datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _facts(facts: Mapping[str, Any]) -> str:
    """A line for each fact that there is."""
    return "".join(
        f"{escape_control_chars(str(name))}:"
        f" {truncate_text(escape_control_chars(_told(value)), TEXT_CHARACTERS)}\n"
        for name, value in facts.items()
        if value not in (None, "")
    )


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(each)}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


FIELD_CHARACTERS = 100
ABSENT = "-"
COLUMNS = "facility id | name | state | accrediting body | accreditation id | valid until | days"
SHOW_ALL = "healthpipe filter-expiring --grain accreditation -o -"
# The shortest line: one-letter id, a date, what is absent, and what separates them.
LEAST_LINE_BYTES = 40


@dataclass(frozen=True)
class Digest:
    """What messages about what is due say in their heads: which root and run, and the day."""

    place: str
    run_id: str
    as_of: date


@dataclass(frozen=True)
class MessagePart:
    """A message, and the tiers by key that are announced once it is taken."""

    message: Message
    told: Mapping[str, Tier]


def max_lines(limit: int, most: int) -> int:
    """More lines than `most` messages of at most `limit` bytes can hold."""
    return most * limit // LEAST_LINE_BYTES


def message_parts(
    due: DueAnnouncements, digest: Digest, limit: int, most: int
) -> list[MessagePart]:
    """Up to `most` messages of at most `limit` bytes for what is due, the most urgent first.

    What does not fit is counted in the last one, and told with it. A limit below some 2,000 bytes
    leaves no room for lines.
    """
    if not due.tiers:
        return []
    counts = Counter(due.tiers.values())
    head = _head(digest, counts)
    room = limit - SUBJECT_CHARACTERS - len(f"{head}{_foot(counts)}".encode())
    pages = _pages(_by_facility(due.first), room, most)
    left = dict(due.tiers)
    parts = []
    for number, page in enumerate(pages, start=1):
        told = {key: left.pop(key) for key in page.keys}
        is_last = number == len(pages)
        foot = _foot(Counter(left.values())) if is_last and left else ""
        numbered = f" ({number}/{len(pages)})" if len(pages) > 1 else ""
        title = subject(f"healthpipe: accreditations due: {_counted(counts)}", numbered)
        message = Message(title, f"{head}{''.join(page.entries)}{foot}").within(limit)
        if is_last:
            told, left = left | told, {}
        parts.append(MessagePart(message, told))
    return parts


def _head(digest: Digest, counts: Mapping[Tier, int]) -> str:
    return (
        f"New in their tier as of {digest.as_of}: {_counted(counts)}.\n"
        f"root: {escape_control_chars(digest.place)}\n"
        f"run: {escape_control_chars(digest.run_id)}\n\n{COLUMNS}\n"
    )


def _foot(left: Mapping[Tier, int]) -> str:
    lapsed = " --include-expired" if left[Tier.EXPIRED] else ""
    return f"\nNot listed here: {_counted(left)}. All: `{SHOW_ALL}{lapsed}`\n"


def _counted(counts: Mapping[Tier, int]) -> str:
    return ", ".join(f"{counts[tier]:,} {tier}" for tier in Tier if counts[tier])


def _by_facility(rows: Iterable[ExpiringRow]) -> Iterator[ExpiringRow]:
    """The rows of each tier, those of a facility together where the soonest of them stands."""
    for _, tier in groupby(rows, key=lambda row: row.tier):
        facilities: dict[str, list[ExpiringRow]] = {}
        for row in tier:
            facilities.setdefault(row.facility_id, []).append(row)
        for facility in facilities.values():
            yield from facility


@dataclass
class _Page:
    """The lines of one message, each with its tier's heading where a tier begins."""

    entries: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    size: int = 0
    tier: str | None = None

    def add(self, row: ExpiringRow, room: int) -> bool:
        """Add a row unless the page would have more than `room` bytes; whether it was added."""
        heading = f"\n{_heading(Tier(row.tier))}\n" if row.tier != self.tier else ""
        entry = f"{heading}{_line(row)}\n"
        size = self.size + len(entry.encode())
        if size > room:
            return False
        self.entries.append(entry)
        self.keys.append(announcement_key(row))
        self.size, self.tier = size, row.tier
        return True


def _pages(rows: Iterable[ExpiringRow], room: int, most: int) -> list[_Page]:
    """The rows in order on at most `most` pages, at least one; no more once one does not fit."""
    pages = [_Page()]
    for row in rows:
        if pages[-1].add(row, room):
            continue
        if len(pages) == most:
            break
        pages.append(_Page())
        if not pages[-1].add(row, room):
            break
    return pages


def _heading(tier: Tier) -> str:
    days = TIER_DAYS.get(tier)
    return f"{tier}: {days} days or fewer" if days else tier.value


def _line(row: ExpiringRow) -> str:
    """Exactly the seven facts that may leave, on one line."""
    texts = (
        row.facility_id, row.facility_name, row.state,
        row.accreditation_body, row.accreditation_id,
    )  # fmt: skip
    shown = (_shown(text) for text in texts)
    return " | ".join((*shown, row.valid_until.isoformat(), _days(row.days_until_expiry)))


def _shown(text: str | None) -> str:
    if text is None:
        return ABSENT
    return truncate_text(escape_control_chars(text[: FIELD_CHARACTERS + 1]), FIELD_CHARACTERS)


def _days(days: int) -> str:
    count = f"{abs(days):,} day" if abs(days) == 1 else f"{abs(days):,} days"
    if days < 0:
        return f"{count} ago"
    return f"in {count}" if days else "today"
