"""Accreditations that lapse: which of them are to be announced."""

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from healthpipe.alerts.state import Announcement
from healthpipe.contract import Tier

URGENCY = {tier: rank for rank, tier in enumerate(Tier)}


class ExpiringRow(NamedTuple):
    """An accreditation as the view expiring-accreditations has it; `tier` is a word of `Tier`."""

    facility_id: str
    facility_name: str | None
    state: str | None
    accreditation_body: str | None
    accreditation_id: str | None
    valid_until: date
    days_until_expiry: int
    tier: str


def announcement_key(row: ExpiringRow) -> str:
    """16 hexadecimal digits for facility, body, accreditation and date; they tell no value."""
    named = (row.facility_id, row.accreditation_body, row.accreditation_id)
    text = json.dumps([*named, row.valid_until.isoformat()])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass
class DueAnnouncements:
    """What is to be announced: the tier by key, and of the rows the `first`, the most urgent.

    `known` are the keys of what was announced before.
    """

    tiers: dict[str, Tier] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    first: list[ExpiringRow] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        rows: Iterable[ExpiringRow],
        announced: Mapping[str, Announcement],
        *,
        include_expired: bool,
        most: int,
    ) -> "DueAnnouncements":
        """What is due of rows in any order, `most` of them kept.

        An accreditation is announced once per tier, and never again in a less urgent one. One that
        has lapsed is due if it was seen before, or with `include_expired`.
        """
        due = cls()
        found = due._sift(rows, announced, include_expired=include_expired)
        due.first = heapq.nsmallest(most, found, key=_urgency)
        return due

    def _sift(
        self,
        rows: Iterable[ExpiringRow],
        announced: Mapping[str, Announcement],
        *,
        include_expired: bool,
    ) -> Iterator[ExpiringRow]:
        for row in rows:
            key, tier = announcement_key(row), Tier(row.tier)
            told = announced.get(key)
            if told and told.tier and URGENCY[told.tier] <= URGENCY[tier]:
                self.known.add(key)
            elif key not in self.tiers and (told or include_expired or tier is not Tier.EXPIRED):
                self.tiers[key] = tier
                yield row


def _urgency(row: ExpiringRow) -> tuple[int, date, str, str, str]:
    body, accreditation = row.accreditation_body or "", row.accreditation_id or ""
    return (URGENCY[Tier(row.tier)], row.valid_until, row.facility_id, body, accreditation)
