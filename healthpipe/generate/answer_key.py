"""The answer key: the results that every command has to give for the generated files.

It is computed from what was planted, never by reading the files back.
"""

import datetime
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from healthpipe.generate.drafts import MONTHS_AHEAD, Facility, Line, last_expiring_day
from healthpipe.generate.planting import Batch, PlantedFile, planted_batches
from healthpipe.generate.records import Plan, record_writer
from healthpipe.progress import Progress

SCHEMA_VERSION = 1


@dataclass
class StateCount:
    """The row of a state in state-counts, and its number of valid accreditations."""

    accredited_facilities: int = 0
    facilities: int = 0
    employees: int = 0
    accreditations: int = 0


@dataclass
class AnswerKey:
    """Counts generated records. The as-of date is the snapshot, the window six calendar months."""

    snapshot: datetime.date
    lines: int = 0
    rejected: int = 0
    superseded: int = 0
    facilities: int = 0
    expiring_facilities: int = 0
    expiring_accreditations: int = 0
    issues: Counter[str] = field(default_factory=Counter)
    states: dict[str, StateCount] = field(default_factory=dict)
    defects: Counter[str] = field(default_factory=Counter)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._first_day = self.snapshot.isoformat()
        self._last_day = last_expiring_day(self.snapshot).isoformat()

    def count_clean(self, line: str) -> None:
        """Count a clean record."""
        self.lines += 1
        record = json.loads(line)
        dates = tuple(item["valid_until"] for item in record["accreditations"])
        renewed = _renewed_dates(record["accreditations"])
        facility = Facility(record["location"]["state"], record["employee_count"], dates, renewed)
        self._count_facility(facility)

    def count_batch(self, batch: Batch, folder: str) -> None:
        """Count the planted lines of a batch; its files are named relative to `folder`'s parent."""
        self.defects.update(kind.name for kind in batch.kinds)
        for file in batch.files:
            self.files[f"{folder}/{file.name}"] = _summary(file)
            for line in file.lines:
                self._count_line(line)

    def to_json(self) -> dict[str, Any]:
        """Return the document, without the options it belongs to."""
        states = sorted(
            self.states.items(), key=lambda item: (-item[1].accredited_facilities, item[0])
        )
        return {
            "as_of": self.snapshot.isoformat(),
            "records": {
                "lines": self.lines,
                "accepted": self.lines - self.rejected,
                "rejected": self.rejected,
                "superseded": self.superseded,
            },
            "issues": dict(sorted(self.issues.items())),
            "extract": {"rows": self.facilities},
            "expiring": {
                "months": MONTHS_AHEAD,
                "facilities": self.expiring_facilities,
                "accreditations": self.expiring_accreditations,
            },
            "states": {state: vars(counts) for state, counts in states},
            "defects": dict(self.defects),
            "files": dict(sorted(self.files.items())),
        }

    def _count_line(self, line: Line) -> None:
        self.lines += 1
        self.rejected += line.is_rejected
        self.superseded += line.is_superseded
        self.issues.update(reason.value for reason in line.reasons)
        if line.facility:
            self._count_facility(line.facility)

    def _count_facility(self, facility: Facility) -> None:
        self.facilities += 1
        dates = facility.expiry_dates
        expiring = sum(
            self._first_day <= date <= self._last_day
            for date in (Counter(dates) - Counter(facility.renewed_dates)).elements()
        )
        self.expiring_facilities += expiring > 0
        self.expiring_accreditations += expiring
        valid = sum(date >= self._first_day for date in dates)
        counts = self.states.setdefault(facility.state, StateCount())
        counts.accredited_facilities += valid > 0
        counts.facilities += 1
        counts.employees += facility.employees
        counts.accreditations += valid


def _renewed_dates(accreditations: list[dict[str, str]]) -> tuple[str, ...]:
    """The dates of those whose body and id come again with a later date: chance makes a few."""
    latest: dict[tuple[str, str], str] = {}
    for item in accreditations:
        name = item["accreditation_body"], item["accreditation_id"]
        latest[name] = max(item["valid_until"], latest.get(name, ""))
    return tuple(
        item["valid_until"]
        for item in accreditations
        if item["valid_until"] < latest[item["accreditation_body"], item["accreditation_id"]]
    )


def _summary(file: PlantedFile) -> dict[str, Any]:
    rejected = sum(line.is_rejected for line in file.lines)
    return {"shape": file.shape, "lines": len(file.lines), "rejected": rejected}


def answer_key_bytes(plan: Plan, progress: Progress) -> bytes:
    """Compute the answer key of a plan, as a JSON document."""
    key = AnswerKey(plan.snapshot)
    create_line = record_writer(plan.seed, plan.snapshot)
    progress.step("counting the answers", lambda: key.lines / plan.records)
    for index in plan.indexes:
        key.count_clean(create_line(index))
    for batch in planted_batches(plan):
        key.count_batch(batch, plan.folder.name)
    options = {
        "n": plan.records,
        "chunk": plan.chunk,
        "snapshot": plan.snapshot.isoformat(),
        "start_index": plan.start_index,
        "seed": plan.seed,
        "defects": plan.defects,
    }
    document = {"schema_version": SCHEMA_VERSION, "options": options} | key.to_json()
    return (json.dumps(document, indent=2) + "\n").encode()
