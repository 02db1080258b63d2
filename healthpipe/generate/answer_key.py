"""The answer key: what every command has to find in the generated files.

It is counted from what was planted, never by reading the files back.
"""

import datetime
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from healthpipe.generate.drafts import MONTHS_AHEAD, Facility, Line, last_day_ahead
from healthpipe.generate.planting import Batch, PlantedFile, planted_batches
from healthpipe.generate.records import Plan, record_writer
from healthpipe.progress import Progress

SCHEMA_VERSION = 1


@dataclass
class StateCount:
    """A state's row of state-counts."""

    accredited_facilities: int = 0
    facilities: int = 0
    employees: int = 0
    accreditations: int = 0


@dataclass
class AnswerKey:
    """Counts what is planted. Its day is the snapshot, its window six calendar months."""

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
        self._last_day = last_day_ahead(self.snapshot).isoformat()

    def count_clean(self, content: str) -> None:
        """Count a clean record."""
        self.lines += 1
        record = json.loads(content)
        days = tuple(item["valid_until"] for item in record["accreditations"])
        facility = Facility(record["location"]["state"], record["employee_count"], days)
        self._count_facility(facility)

    def count_batch(self, batch: Batch, folder: str) -> None:
        """Count what is planted in the files of a batch; they are named below `folder`."""
        self.defects.update(kind.name for kind in batch.kinds)
        for file in batch.files:
            self.files[f"{folder}/{file.name}"] = _summary(file)
            for line in file.lines:
                self._count_line(line)

    def to_json(self) -> dict[str, Any]:
        """The document, without the options that it belongs to."""
        ordered = sorted(
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
            "states": {state: vars(counts) for state, counts in ordered},
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
        expiring = sum(self._first_day <= day <= self._last_day for day in facility.days)
        self.expiring_facilities += expiring > 0
        self.expiring_accreditations += expiring
        valid = sum(day >= self._first_day for day in facility.days)
        counts = self.states.setdefault(facility.state, StateCount())
        counts.accredited_facilities += valid > 0
        counts.facilities += 1
        counts.employees += facility.employees
        counts.accreditations += valid


def _summary(file: PlantedFile) -> dict[str, Any]:
    rejected = sum(line.is_rejected for line in file.lines)
    return {"shape": file.shape, "lines": len(file.lines), "rejected": rejected}


def answers_of(plan: Plan, progress: Progress) -> bytes:
    """The answer key of a plan, a JSON document."""
    key = AnswerKey(plan.snapshot)
    line = record_writer(plan.seed, plan.snapshot)
    progress.step("counting the answers", lambda: key.lines / plan.records)
    for index in plan.indexes:
        key.count_clean(line(index))
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
