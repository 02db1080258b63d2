"""Files of many records, clean or dirty, generated from a seed: more than Hypothesis draws."""

import datetime
import json
import random

from tests.support.edge_case_values import (
    BROKEN_LINES,
    NEAR_DATES,
    NO_DATES,
    ODD_NESTED,
    ODD_SCALARS,
    ODD_TEXTS,
    STATE_SPELLINGS,
)
from tests.support.oracle import NAMES, File

ODD = [*ODD_TEXTS, *ODD_SCALARS, *ODD_NESTED]
ENDINGS = [b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\n \t\n"]
FILES = {
    "a.jsonl": None,
    "2025-08-01/b.json": datetime.date(2025, 8, 1),
    "snapshot_date=2025-09-01/ü.ndjson": datetime.date(2025, 9, 1),
}


class RecordGenerator:
    """Generates records of some facilities, each value an edge case with the chance `odd`."""

    def __init__(self, seed: int, odd: float, facilities: int = 400) -> None:
        self.random = random.Random(seed)
        self.odd, self.facilities = odd, facilities

    def mostly(self, usual, odd=ODD):
        """The usual value, or an edge case."""
        return self.random.choice(odd) if self.random.random() < self.odd else usual

    def pick(self, usual: list, odd=ODD):
        """One of the usual values, or an edge case."""
        return self.mostly(self.random.choice(usual), odd)

    def some(self, draw, most: int = 3) -> list:
        """A list of up to `most` drawn items."""
        return [draw() for _ in range(self.random.randint(0, most))]

    def date(self):
        """A date near the ends of the window, or no date."""
        return self.pick(NEAR_DATES, [*NO_DATES, *ODD])

    def accreditation(self):
        body, name = self.pick(["NCQA", " URAC\n", "DNV"]), self.pick(["A-1", "\tB-2 ", "007"])
        return self.mostly(
            self.part(
                {
                    "accreditation_body": body,
                    "accreditation_id": name,
                    "valid_until": self.date(),
                }
            )
        )

    def lab(self):
        listed = self.some(lambda: self.pick(["CLIA", " CAP ", "AABB"]))
        return self.mostly(
            self.part(
                {
                    "lab_name": self.pick(["Core Lab", " Blood Bank\n"]),
                    "certifications": self.mostly(listed),
                }
            )
        )

    def record(self) -> dict:
        number = self.random.randint(1, self.facilities)
        location = {
            "address": self.pick(["1 Main St", " 2 Oak Ave\t"]),
            "city": self.pick(["Albany", " Reno"]),
            "state": self.pick([*STATE_SPELLINGS, *NAMES]),
            "zip": self.pick(["00901", 98101, "98101-1234 "]),
        }
        return self.part(
            {
                "facility_id": self.pick([f"F{number}", f" F{number}\t", number]),
                "facility_name": self.pick(["St. Anne", " Mercy \r\n"]),
                "location": self.mostly(self.part(location)),
                "employee_count": self.pick([number, f" {number} ", "007"]),
                "services": self.mostly(self.some(lambda: self.pick(["Cardiology", " MRI "]))),
                "labs": self.mostly(self.some(self.lab)),
                "accreditations": self.mostly(self.some(self.accreditation)),
                "snapshot_date": self.date(),
                "unknown": self.pick([1]),
            }
        )

    def part(self, fields: dict) -> dict:
        """The fields in any order, now and then without one of them."""
        kept = [item for item in fields.items() if self.random.random() >= self.odd / 2]
        self.random.shuffle(kept)
        return dict(kept)

    def line(self) -> bytes:
        """A record as a line, now and then broken."""
        if self.random.random() < self.odd / 4:
            return self.random.choice(BROKEN_LINES)
        separators = self.random.choice([(",", ":"), (" , ", " : ")])
        line = json.dumps(
            self.record(), ensure_ascii=self.random.random() < 0.5, separators=separators
        ).encode("utf-8", "replace")
        if self.random.random() < self.odd / 4:
            at = self.random.randrange(len(line))
            line = line[:at] + self.random.randbytes(1).strip(b"\r\n") + line[at + 1 :]
        return line


def many_records(seed: int, lines: int, odd: float, facilities: int = 400) -> list[File]:
    """Three files in a folder with `lines` lines each; all are clean if `odd` is 0."""
    dirt = RecordGenerator(seed, odd, facilities)
    endings = ENDINGS if odd else [b"\n"]
    return [
        File(
            name,
            b"".join(dirt.line() + dirt.random.choice(endings) for _ in range(lines)),
            date,
        )
        for name, date in FILES.items()
    ]
