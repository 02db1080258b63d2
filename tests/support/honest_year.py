"""A year of mornings with small honest changes, as the senders of five feeds write them.

- `west`: a whole snapshot each day; facilities open and close, a few lines are broken for some
  weeks, names are corrected, and accreditations are renewed, most of them at year's end. In March
  its files become two, in May they are compressed. Snapshots are removed after five days.
- `delta`: all facilities once, then files of the records that have changed.
- `vendor`: a whole snapshot on the first day of each quarter.
- `agency`: three facilities, each week.
- `east`: a whole snapshot each day, the same but for the day.
"""

import datetime
import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

START = datetime.date(2026, 1, 1)
STATES = ("CA", "TX", "NY", "FL", "WA", "OR")
WEST, EAST, VENDOR, DELTA = 60, 40, 30, 40
RETAINED_DAYS = 5
# The days of a year from which on the west feed has so many broken lines, and so many facilities
# without a state.
BROKEN = {0: 0, 20: 2, 45: 0, 120: 1, 121: 0, 200: 5, 230: 2, 260: 0}
STATELESS = {0: 1, 80: 0, 150: 2, 240: 1}
SPLIT_DAY, PACKED_DAY = 70, 130
RENEWAL_DAYS = {355: 20, 358: 25, 362: 15}


@dataclass
class Facility:
    """A facility as its sender knows it."""

    number: int
    prefix: str
    valid_until: datetime.date
    name: str = ""
    employees: int = 100

    def record(self, *, with_state: bool = True) -> dict:
        location = {"city": "Town", "state": STATES[self.number % len(STATES)]}
        if not with_state:
            del location["state"]
        return {
            "facility_id": f"{self.prefix}{self.number:03}",
            "facility_name": self.name or f"{self.prefix} clinic {self.number}",
            "location": location,
            "employee_count": self.employees,
            "services": ["x"],
            "labs": [],
            "accreditations": [
                {
                    "accreditation_body": "JC",
                    "accreditation_id": f"{self.prefix}-{self.number}",
                    "valid_until": self.valid_until.isoformat(),
                }
            ],
        }


@dataclass
class Morning:
    """What a day's run reads: the counts of broken lines and of records without a state.

    `has_large_change` says whether many facilities of a feed have changed, so that a warning is
    right; they may have where days were left out.
    """

    day: datetime.date
    broken: int
    stateless: int
    has_large_change: bool = False


@dataclass
class HonestYear:
    """Writes the files of each morning below a folder of raw files."""

    raw: Path
    west: list[Facility] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.west = self._facilities("W", WEST, 340)
        self.east = self._facilities("E", EAST, 900)
        self.vendor = self._facilities("V", VENDOR, 700)
        self.delta = self._facilities("D", DELTA, 500)
        self.agency = self._facilities("A", 3, 800)
        self.opened = WEST

    def mornings(self, numbers: Iterator[int] | range) -> Iterator[Morning]:
        """The mornings of the days of these numbers, from 0; what came between them comes, too."""
        wanted = set(numbers)
        pending_change, last = False, -1
        for number in range(max(wanted) + 1):
            pending_change |= self._arrive(number)
            if number in wanted:
                yield Morning(
                    START + datetime.timedelta(number),
                    _held(BROKEN, number),
                    _held(STATELESS, number),
                    pending_change or number - last > 1,
                )
                pending_change, last = False, number

    def _facilities(self, prefix: str, count: int, days: int) -> list[Facility]:
        """Facilities whose accreditations lapse on single days, from `days` on."""
        return [Facility(n, prefix, START + datetime.timedelta(days + 3 * n)) for n in range(count)]

    def _arrive(self, number: int) -> bool:
        """Write the files of a day; returns whether many facilities of a feed have changed."""
        day = START + datetime.timedelta(number)
        self._change_west(number, day)
        self._write_west(number, day)
        self._write(day, "east.jsonl", [each.record() for each in self.east])
        is_large = number in RENEWAL_DAYS
        if number == 0:
            self._write(day, "initial.jsonl", [each.record() for each in self.delta])
        elif number % 2:
            changed = self.delta[number % DELTA]
            changed.employees += 1
            self._write(day, "delta.jsonl", [changed.record()])
        if (day.month - 1) % 3 == 0 and day.day == 1:
            for each in self.vendor[number % 7 :: 7]:
                each.employees += 5
            self._write(day, "vendor.jsonl", [each.record() for each in self.vendor])
        if number % 7 == 0:
            if number == 91:  # one of three
                self.agency[0].name, is_large = "Another name", True
            self._write(day, "agency.jsonl", [each.record() for each in self.agency])
        self._remove_older(day)
        return is_large or number in (SPLIT_DAY, PACKED_DAY)

    def _change_west(self, number: int, day: datetime.date) -> None:
        if number % 14 == 3:
            self.west.append(Facility(self.opened, "W", day + datetime.timedelta(700)))
            self.opened += 1
        if number % 21 == 10:
            self.west.pop(0)
        if number % 30 == 5:
            self.west[number % len(self.west)].name = f"Corrected on day {number}"
        for each in self.west:
            if each.valid_until == day - datetime.timedelta(1) and each.number % 2:
                each.valid_until = day + datetime.timedelta(730)
        due = sorted(self.west, key=lambda facility: facility.valid_until)
        for each in due[: RENEWAL_DAYS.get(number, 0)]:
            each.valid_until = day + datetime.timedelta(1000)

    def _write_west(self, number: int, day: datetime.date) -> None:
        stateless = _as_of(STATELESS, number)
        records = [
            facility.record(with_state=place >= stateless)
            for place, facility in enumerate(self.west)
        ]
        broken = "not json\n" * _as_of(BROKEN, number)
        if number < SPLIT_DAY:
            self._write(day, "west.jsonl", records, broken)
        else:
            suffix = ".gz" if number >= PACKED_DAY else ""
            self._write(day, f"west-1.jsonl{suffix}", records[:20], broken)
            self._write(day, f"west-2.jsonl{suffix}", records[20:])

    def _write(self, day: datetime.date, name: str, records: list[dict], more: str = "") -> None:
        path = self.raw / day.isoformat() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(record) + "\n" for record in records) + more
        content = text.encode()
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)

    def _remove_older(self, day: datetime.date) -> None:
        """Remove the whole snapshots that newer ones replace, as their keeper does."""
        old = self.raw / (day - datetime.timedelta(RETAINED_DAYS)).isoformat()
        for path in old.glob("*"):
            if path.name.startswith(("west", "east")):
                path.unlink()
        if old.exists() and not list(old.iterdir()):
            shutil.rmtree(old)


def _held(changes: dict[int, int], number: int) -> int:
    """The sum of the days whose files are still there."""
    return sum(
        _as_of(changes, day) for day in range(max(0, number - RETAINED_DAYS + 1), number + 1)
    )


def _as_of(changes: dict[int, int], number: int) -> int:
    return changes[max(day for day in changes if day <= number)]
