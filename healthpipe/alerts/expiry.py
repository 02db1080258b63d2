"""Announcements of expiring accreditations: which are due, and their messages.

An accreditation is announced once per tier, and never again in a less urgent one. The messages are
the only ones with values of records.
"""

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import NamedTuple

from healthpipe.alerts.channels import SUBJECT_CHARACTERS, Message
from healthpipe.alerts.messages import subject
from healthpipe.alerts.state import Announcement
from healthpipe.contract import TIER_DAYS, Tier
from healthpipe.text import escape_control_chars, truncate_text

URGENCY = {tier: rank for rank, tier in enumerate(Tier)}


class ExpiringRow(NamedTuple):
    """A row of the view expiring-accreditations; `tier` is a value of `Tier`."""

    facility_id: str
    facility_name: str | None
    state: str | None
    accreditation_body: str | None
    accreditation_id: str | None
    valid_until: date
    days_until_expiry: int
    tier: str


def announcement_key(row: ExpiringRow) -> str:
    """Hash facility, body, accreditation and date to 16 hexadecimal digits."""
    identity = (row.facility_id, row.accreditation_body, row.accreditation_id)
    text = json.dumps([*identity, row.valid_until.isoformat()])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass
class DueAnnouncements:
    """The announcements that are due.

    `tiers` has the tier of each by the accreditation's key; `most_urgent` the rows that may be
    listed in messages, the most urgent first; `already_announced` the keys of those not due.
    """

    tiers: dict[str, Tier] = field(default_factory=dict)
    already_announced: set[str] = field(default_factory=set)
    most_urgent: list[ExpiringRow] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        rows: Iterable[ExpiringRow],
        announced: Mapping[str, Announcement],
        *,
        include_expired: bool,
        max_rows: int,
    ) -> "DueAnnouncements":
        """Select the rows to announce from rows in any order; keep the `max_rows` most urgent.

        One that has expired is due if an earlier run saw it, or with `include_expired`.
        """
        due = cls()
        due_rows = due._filter(rows, announced, include_expired=include_expired)
        due.most_urgent = heapq.nsmallest(max_rows, due_rows, key=_urgency)
        return due

    def _filter(
        self,
        rows: Iterable[ExpiringRow],
        announced: Mapping[str, Announcement],
        *,
        include_expired: bool,
    ) -> Iterator[ExpiringRow]:
        """Yield the rows that are due, each key once, and note the tiers and keys."""
        for row in rows:
            key, tier = announcement_key(row), Tier(row.tier)
            last = announced.get(key)
            if last and last.tier and URGENCY[last.tier] <= URGENCY[tier]:
                self.already_announced.add(key)
            elif key not in self.tiers and (last or include_expired or tier is not Tier.EXPIRED):
                self.tiers[key] = tier
                yield row


def _urgency(row: ExpiringRow) -> tuple[int, date, str, str, str]:
    """Return the sort key of rows: tier, date, then what makes the order definite."""
    body, accreditation = row.accreditation_body or "", row.accreditation_id or ""
    return (URGENCY[Tier(row.tier)], row.valid_until, row.facility_id, body, accreditation)


MAX_FIELD_CHARACTERS = 100
ABSENT = "-"
COLUMNS = "facility id | name | state | accrediting body | accreditation id | valid until | days"
# The shortest line: one-letter id, a date, what is absent, and what separates them.
MIN_LINE_BYTES = 40


@dataclass(frozen=True)
class MessageHead:
    """The header fields of each message, the root, the run and its as-of date; what lists all."""

    root: str
    run_id: str
    as_of: date
    list_all: str


@dataclass(frozen=True)
class AnnouncementMessage:
    """A message, and the tiers by key of the accreditations that it announces."""

    message: Message
    tiers: Mapping[str, Tier]


def max_lines(max_bytes: int, max_messages: int) -> int:
    """Return an upper bound of the lines that so many messages of so many bytes can hold."""
    return max_messages * max_bytes // MIN_LINE_BYTES


def announcement_messages(
    due: DueAnnouncements, head: MessageHead, max_bytes: int, max_messages: int
) -> list[AnnouncementMessage]:
    """Format what is due in at most `max_messages` of at most `max_bytes`, most urgent first.

    What does not fit is counted in the last one, which announces it too. Below some 2,000 bytes
    there is no room for lines.
    """
    if not due.tiers:
        return []
    counts = Counter(due.tiers.values())
    head_text = _format_head(head, counts)
    foot_bytes = len(_format_foot(counts, head.list_all).encode())
    room = max_bytes - SUBJECT_CHARACTERS - len(head_text.encode()) - foot_bytes
    pages = _fill_pages(_group_by_facility(due.most_urgent), room, max_messages)
    left = dict(due.tiers)
    messages = []
    for number, page in enumerate(pages, start=1):
        tiers = {key: left.pop(key) for key in page.keys}
        is_last = number == len(pages)
        foot = _format_foot(Counter(left.values()), head.list_all) if is_last and left else ""
        numbered = f" ({number}/{len(pages)})" if len(pages) > 1 else ""
        title = subject(f"healthpipe: accreditations due: {_format_counts(counts)}", numbered)
        message = Message(title, f"{head_text}{''.join(page.entries)}{foot}")
        if is_last:
            tiers, left = left | tiers, {}
        messages.append(AnnouncementMessage(message.truncated(max_bytes), tiers))
    return messages


def _format_head(head: MessageHead, counts: Mapping[Tier, int]) -> str:
    return (
        f"New in their tier as of {head.as_of}: {_format_counts(counts)}.\n"
        f"root: {escape_control_chars(head.root)}\n"
        f"run: {escape_control_chars(head.run_id)}\n\n{COLUMNS}\n"
    )


def _format_foot(left: Mapping[Tier, int], list_all: str) -> str:
    option = " --include-expired" if left[Tier.EXPIRED] else ""
    return f"\nNot listed here: {_format_counts(left)}. All: `{list_all}{option}`\n"


def _format_counts(counts: Mapping[Tier, int]) -> str:
    return ", ".join(f"{counts[tier]:,} {tier}" for tier in Tier if counts[tier])


def _group_by_facility(rows: Iterable[ExpiringRow]) -> Iterator[ExpiringRow]:
    """Within each tier, move the rows of a facility together to where the first of them is."""
    for _, rows_of_tier in groupby(rows, key=lambda row: row.tier):
        facilities: dict[str, list[ExpiringRow]] = {}
        for row in rows_of_tier:
            facilities.setdefault(row.facility_id, []).append(row)
        for rows_of_facility in facilities.values():
            yield from rows_of_facility


@dataclass
class _Page:
    """The lines of one message, with a heading before the first of each tier."""

    entries: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    size: int = 0
    tier: str | None = None

    def add(self, row: ExpiringRow, room: int) -> bool:
        """Add a row unless the page would exceed `room` bytes. Returns whether it was added."""
        heading = f"\n{_format_heading(Tier(row.tier))}\n" if row.tier != self.tier else ""
        entry = f"{heading}{_format_line(row)}\n"
        size = self.size + len(entry.encode())
        if size > room:
            return False
        self.entries.append(entry)
        self.keys.append(announcement_key(row))
        self.size, self.tier = size, row.tier
        return True


def _fill_pages(rows: Iterable[ExpiringRow], room: int, max_pages: int) -> list[_Page]:
    """Distribute rows, in order, over one to `max_pages` pages of at most `room` bytes.

    The rows from the first that does not fit are left out.
    """
    pages = [_Page()]
    for row in rows:
        if pages[-1].add(row, room):
            continue
        if len(pages) == max_pages:
            break
        pages.append(_Page())
        if not pages[-1].add(row, room):
            break
    return pages


def _format_heading(tier: Tier) -> str:
    days = TIER_DAYS.get(tier)
    return f"{tier}: {days} days or fewer" if days else tier.value


def _format_line(row: ExpiringRow) -> str:
    """Format a row as a line: exactly the seven fields that an alert may carry."""
    texts = (
        row.facility_id, row.facility_name, row.state,
        row.accreditation_body, row.accreditation_id,
    )  # fmt: skip
    fields = (_format_field(text) for text in texts)
    return " | ".join((*fields, row.valid_until.isoformat(), _format_days(row.days_until_expiry)))


def _format_field(text: str | None) -> str:
    if text is None:
        return ABSENT
    return truncate_text(
        escape_control_chars(text[: MAX_FIELD_CHARACTERS + 1]), MAX_FIELD_CHARACTERS
    )


def _format_days(days: int) -> str:
    count = f"{abs(days):,} day" if abs(days) == 1 else f"{abs(days):,} days"
    if days < 0:
        return f"{count} ago"
    return f"in {count}" if days else "today"
