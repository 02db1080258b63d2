"""Drafts of planted records, and the changes that make them defective.

Each draft keeps, beside the record, what the answer key counts of it; a change changes both.
"""

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dateutil.relativedelta import relativedelta

from healthpipe.contract import RULES, UNKNOWN_STATE, Reason, Severity
from healthpipe.generate.records import record_writer

MONTHS_AHEAD = 6
REJECTING = frozenset(rule.reason for rule in RULES if rule.severity is Severity.REJECT)


@dataclass(frozen=True)
class Facility:
    """What the results show of a facility.

    `expiry_dates` are those of its accreditations as YYYY-MM-DD, invalid ones left out;
    `renewed_dates` are the ones among them whose accreditation the same record renews.
    """

    state: str
    employees: int
    expiry_dates: tuple[str, ...]
    renewed_dates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A planted line, without its ending.

    `reasons` has the rules it breaks, each as often as it is broken; `facility` is None for a
    record that no result shows.
    """

    content: bytes
    reasons: tuple[Reason, ...] = ()
    facility: Facility | None = None

    @property
    def is_rejected(self) -> bool:
        """Whether the record is rejected."""
        return not REJECTING.isdisjoint(self.reasons)

    @property
    def is_superseded(self) -> bool:
        """Whether the record is left out because another one of its facility wins."""
        return self.facility is None and not self.is_rejected


@dataclass
class Draft:
    """A record before it is planted, with the `Facility` that the results are to show of it."""

    record: dict[str, Any]
    state: str
    employees: int
    expiry_dates: list[str]
    renewed_dates: list[str] = field(default_factory=list)

    @property
    def facility(self) -> Facility:
        """What the results show of the record, unless it is rejected."""
        dates, renewed = tuple(self.expiry_dates), tuple(self.renewed_dates)
        return Facility(self.state, self.employees, dates, renewed)

    @property
    def content(self) -> bytes:
        """The record as a line of JSON."""
        return json.dumps(self.record, ensure_ascii=False).encode()


Change = Callable[[Draft], None]


def no_change(_: Draft) -> None:
    """Leave the record as it is."""


def last_expiring_day(snapshot: datetime.date) -> datetime.date:
    """Return the last day of the window of expiring accreditations, six months after."""
    return snapshot + relativedelta(months=MONTHS_AHEAD)


class Drafter:
    """Creates drafts of valid records, each with labs and accreditations.

    Their accreditations expire on both sides of the window's bounds: the snapshot, and six months
    later.
    """

    def __init__(self, seed: int, snapshot: datetime.date) -> None:
        self._create_line = record_writer(seed, snapshot)
        end = last_expiring_day(snapshot)
        day, year = datetime.timedelta(days=1), datetime.timedelta(days=365)
        expiry_dates = (
            (snapshot, snapshot + year),
            (snapshot - day, snapshot + 2 * year),
            (end, snapshot - day),
            (end + day,),
            (snapshot + day, end),
            (snapshot - day,),
            (end + year, end - day, snapshot),
        )
        self._expiry_dates = [[each.isoformat() for each in dates] for dates in expiry_dates]

    def draft(self, prefix: str, number: int) -> Draft:
        """Create the draft of a facility of its own, whose id is the prefix and the number."""
        record = json.loads(self._create_line(number))
        record["facility_id"] = f"{prefix}{number:07}"
        record["labs"] = [{"lab_name": "Core Laboratory", "certifications": ["CLIA"]}]
        dates = self._expiry_dates[number % len(self._expiry_dates)]
        record["accreditations"] = [
            {"accreditation_body": "NCQA", "accreditation_id": f"NC-{number}-{place}"}
            | {"valid_until": date}
            for place, date in enumerate(dates)
        ]
        return Draft(record, record["location"]["state"], record["employee_count"], list(dates))


def set_field(name: str, value: Any) -> Change:
    """Set a field whose value does not change what the results show."""

    def change(draft: Draft) -> None:
        draft.record[name] = value

    return change


def remove_field(name: str) -> Change:
    """Remove a field whose absence does not change what the results show."""

    def change(draft: Draft) -> None:
        del draft.record[name]

    return change


def set_employees(value: Any, counted: int = 0) -> Change:
    """Set the number of employees, which the results show as `counted`."""

    def change(draft: Draft) -> None:
        draft.record["employee_count"] = value
        draft.employees = counted

    return change


def set_state(value: Any, counted: str = UNKNOWN_STATE) -> Change:
    """Set the state, which the results show as `counted`."""

    def change(draft: Draft) -> None:
        draft.record["location"]["state"] = value
        draft.state = counted

    return change


def set_location(value: Any) -> Change:
    """Set the location to what is no object."""

    def change(draft: Draft) -> None:
        draft.record["location"] = value
        draft.state = UNKNOWN_STATE

    return change


def remove_state(draft: Draft) -> None:
    """Remove the state from the location."""
    del draft.record["location"]["state"]
    draft.state = UNKNOWN_STATE


def set_accreditations(value: Any) -> Change:
    """Set the accreditations to an empty list, or to what is no list."""

    def change(draft: Draft) -> None:
        draft.record["accreditations"] = value
        draft.expiry_dates = []

    return change


def renew_accreditations(draft: Draft) -> None:
    """Renew each accreditation for a year, its body and id written with spaces around them."""
    for item in list(draft.record["accreditations"]):
        until = datetime.date.fromisoformat(item["valid_until"]) + datetime.timedelta(days=365)
        renewal = {key: f" {item[key]}\t" for key in ("accreditation_body", "accreditation_id")}
        draft.record["accreditations"].append(renewal | {"valid_until": until.isoformat()})
        draft.renewed_dates.append(item["valid_until"])
        draft.expiry_dates.append(until.isoformat())


def prepend_accreditations(*items: Any) -> Change:
    """Insert items without a valid date before the accreditations."""

    def change(draft: Draft) -> None:
        draft.record["accreditations"][:0] = items

    return change


def accreditation_until(value: Any) -> dict[str, Any]:
    """Create an accreditation whose `valid_until` is no date."""
    return {"accreditation_body": "URAC", "accreditation_id": "UR-1", "valid_until": value}


def combine(*changes: Change) -> Change:
    """Apply changes one after the other."""

    def change(draft: Draft) -> None:
        for each in changes:
            each(draft)

    return change
