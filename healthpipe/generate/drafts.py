"""Records that are planted beside the clean ones, with what the answer key counts of them.

Changes of a record, each with what it changes in the results.
"""

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dateutil.relativedelta import relativedelta

from healthpipe.contract import RULES, UNKNOWN_STATE, Reason, Severity
from healthpipe.generate.records import record_writer

MONTHS_AHEAD = 6
REJECTING = frozenset(rule.reason for rule in RULES if rule.severity is Severity.REJECT)


@dataclass(frozen=True)
class Facility:
    """What a facility adds to the results: its state, its employees, and the last days of its
    accreditations as YYYY-MM-DD, those that are no day left out.
    """

    state: str
    employees: int
    days: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A line as it is planted, without its ending.

    `reasons` names each rule that it breaks as often as it breaks it; `facility` is None for a
    record that no result shows.
    """

    content: bytes
    reasons: tuple[Reason, ...] = ()
    facility: Facility | None = None

    @property
    def is_rejected(self) -> bool:
        """Whether the record stays out of all results by itself."""
        return not REJECTING.isdisjoint(self.reasons)

    @property
    def is_superseded(self) -> bool:
        """Whether the record stays out only because another one of its facility wins."""
        return self.facility is None and not self.is_rejected


@dataclass
class Draft:
    """A record that is being planted: a change of it also changes what it counts for."""

    record: dict[str, Any]
    state: str
    employees: int
    days: list[str]

    @property
    def facility(self) -> Facility:
        """What the record, if it stays, adds to the results."""
        return Facility(self.state, self.employees, tuple(self.days))

    @property
    def content(self) -> bytes:
        """The record as a line of JSON."""
        return json.dumps(self.record, ensure_ascii=False).encode()


Change = Callable[[Draft], None]


def unchanged(_: Draft) -> None:
    """No change: the record as it is."""


def last_day_ahead(snapshot: datetime.date) -> datetime.date:
    """The last day on which an accreditation counts as expiring, seen from the snapshot."""
    return snapshot + relativedelta(months=MONTHS_AHEAD)


class Drafter:
    """Drafts of whole records: each has labs and accreditations to spoil.

    The accreditations end on both sides of what decides: the snapshot, and six months later.
    """

    def __init__(self, seed: int, snapshot: datetime.date) -> None:
        self._line = record_writer(seed, snapshot)
        end = last_day_ahead(snapshot)
        one, year = datetime.timedelta(days=1), datetime.timedelta(days=365)
        ends = (
            (snapshot, snapshot + year),
            (snapshot - one, snapshot + 2 * year),
            (end, snapshot - one),
            (end + one,),
            (snapshot + one, end),
            (snapshot - one,),
            (end + year, end - one, snapshot),
        )
        self._ends = [[day.isoformat() for day in days] for days in ends]

    def draft(self, prefix: str, number: int) -> Draft:
        """A record of its own facility, whose id is the prefix and the number."""
        record = json.loads(self._line(number))
        record["facility_id"] = f"{prefix}{number:07}"
        record["labs"] = [{"lab_name": "Core Laboratory", "certifications": ["CLIA"]}]
        days = self._ends[number % len(self._ends)]
        record["accreditations"] = [
            {"accreditation_body": "NCQA", "accreditation_id": f"NC-{number}-{place}"}
            | {"valid_until": day}
            for place, day in enumerate(days)
        ]
        return Draft(record, record["location"]["state"], record["employee_count"], list(days))


def field(name: str, value: Any) -> Change:
    """Another value where the results show none of the field, or the same."""

    def change(draft: Draft) -> None:
        draft.record[name] = value

    return change


def without(name: str) -> Change:
    """The record without a field that the results need not show."""

    def change(draft: Draft) -> None:
        del draft.record[name]

    return change


def employees(value: Any, counted: int = 0) -> Change:
    """Another number of employees, which counts as `counted`."""

    def change(draft: Draft) -> None:
        draft.record["employee_count"] = value
        draft.employees = counted

    return change


def state(value: Any, counted: str = UNKNOWN_STATE) -> Change:
    """Another state, which counts as `counted`."""

    def change(draft: Draft) -> None:
        draft.record["location"]["state"] = value
        draft.state = counted

    return change


def location(value: Any) -> Change:
    """No object where the location belongs."""

    def change(draft: Draft) -> None:
        draft.record["location"] = value
        draft.state = UNKNOWN_STATE

    return change


def stateless(draft: Draft) -> None:
    """A location that does not tell the state."""
    del draft.record["location"]["state"]
    draft.state = UNKNOWN_STATE


def accreditations(value: Any) -> Change:
    """No list where the accreditations belong, or an empty one."""

    def change(draft: Draft) -> None:
        draft.record["accreditations"] = value
        draft.days = []

    return change


def first_accreditations(*items: Any) -> Change:
    """Items without a valid date, before the accreditations that there are."""

    def change(draft: Draft) -> None:
        draft.record["accreditations"][:0] = items

    return change


def ends(value: Any) -> dict[str, Any]:
    """An accreditation that ends on what is no day."""
    return {"accreditation_body": "URAC", "accreditation_id": "UR-1", "valid_until": value}


def changes(*several: Change) -> Change:
    """One change after the other."""

    def change(draft: Draft) -> None:
        for one in several:
            one(draft)

    return change
