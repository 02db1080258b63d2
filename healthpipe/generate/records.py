"""Synthetic facility records as lines of JSON, and the plan of which go into which file.

All randomness of a record comes from a BLAKE2b digest of seed and index, so that a record is the
same in whatever file it is, and no change of a library's random numbers can change it.
"""

import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from struct import Struct

from healthpipe.errors import UsageError

FIRST_DAY, LAST_DAY = -200, 1299
_NAMES = (
    "Mercy",
    "Lakeside",
    "St. Anne",
    "Sunrise",
    "Cedar Hill",
    "Riverside",
    "Northgate",
    "Unity",
)
_KINDS = ("General Hospital", "Medical Center", "Family Clinic", "Surgical Center", "Health Center")
_PLACES = (
    ("Houston", "TX", "770"), ("Dallas", "TX", "752"), ("Los Angeles", "CA", "900"),
    ("Fresno", "CA", "937"), ("Albany", "NY", "122"), ("Buffalo", "NY", "142"),
    ("Miami", "FL", "331"), ("Tampa", "FL", "336"), ("Chicago", "IL", "606"),
    ("Seattle", "WA", "981"), ("Columbus", "OH", "432"), ("Boston", "MA", "021"),
    ("Denver", "CO", "802"), ("Atlanta", "GA", "303"), ("Phoenix", "AZ", "850"),
    ("San Juan", "PR", "009"),
)  # fmt: skip
_STREETS = ("Main St", "Oak Ave", "Elm St", "2nd Ave", "Park Blvd", "Hospital Dr")
_SERVICES = (
    "Cardiology", "Emergency Care", "Radiology", "Oncology", "Pediatrics", "Orthopedics",
    "Neurology", "Maternity", "Dialysis", "Physical Therapy",
)  # fmt: skip
_LABS = (
    {"lab_name": "Central Laboratory", "certifications": ["CLIA", "CAP"]},
    {"lab_name": "Blood Bank", "certifications": ["AABB"]},
    {"lab_name": "Pathology", "certifications": []},
    {"lab_name": "Microbiology", "certifications": ["CLIA"]},
)
_BODIES = ("Joint Commission", "NCQA", "URAC", "AAAHC", "DNV")
_DIGEST_NUMBERS = Struct("<16H")

# Lists as JSON, so that a record is joined from a few strings: the services from each position in
# the list on, and the labs.
_SERVICE_LISTS = [
    json.dumps((_SERVICES * 2)[start : start + length])
    for start in range(len(_SERVICES))
    for length in range(6)
]
_LAB_LISTS = [
    json.dumps((_LABS * 2)[start : start + length]) for start in range(4) for length in range(3)
]


def record_writer(seed: int, snapshot: datetime.date) -> Callable[[int], str]:
    """Create the function from a record's index to its line, without a line ending.

    Dates of expiry lie 200 days before to 1299 days after the snapshot; one facility in
    sixteen has no accreditation.
    """
    days = [
        (snapshot + datetime.timedelta(days=offset)).isoformat()
        for offset in range(FIRST_DAY, LAST_DAY + 1)
    ]
    prefix = f"{seed}:"

    def accreditation(body: int, day: int, index: int) -> str:
        name = _BODIES[body % len(_BODIES)]
        return (
            f'{{"accreditation_body": "{name}", "accreditation_id": "{name[:2].upper()}-'
            f'{(body * 7919 + index) % 1000000:06}", "valid_until": "{days[day % len(days)]}"}}'
        )

    def line(index: int) -> str:
        digest = blake2b((prefix + str(index)).encode(), digest_size=32).digest()
        a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q = _DIGEST_NUMBERS.unpack(digest)
        city, state, zip_prefix = _PLACES[a % len(_PLACES)]
        count = (b & 15) and 1 + (b >> 4) % 3
        pairs = ((c, d), (e, f), (g, h))[:count]
        accreditations = ", ".join([accreditation(body, day, index) for body, day in pairs])
        return (
            f'{{"facility_id": "FAC{index:07}", "facility_name": "{_NAMES[i % len(_NAMES)]} '
            f'{_KINDS[j % len(_KINDS)]}", "location": {{"address": "{1 + k % 9999} '
            f'{_STREETS[m % len(_STREETS)]}", "city": "{city}", "state": "{state}", '
            f'"zip": "{zip_prefix}{n % 100:02}"}}, "employee_count": {5 + o % 1995}, '
            f'"services": {_SERVICE_LISTS[p % len(_SERVICE_LISTS)]}, '
            f'"labs": {_LAB_LISTS[q % len(_LAB_LISTS)]}, '
            f'"accreditations": [{accreditations}], "snapshot_date": "{snapshot}"}}'
        )

    return line


@dataclass(frozen=True)
class Plan:
    """What to generate: `<outdir>/<snapshot>/facilities-<first index>.jsonl` of `chunk` records.

    `defects` is the number of defective records, in further files `defects-...`.
    """

    records: int
    chunk: int
    snapshot: datetime.date
    start_index: int
    seed: int
    outdir: Path
    defects: int = 0

    def __post_init__(self) -> None:
        try:
            for offset in (FIRST_DAY, LAST_DAY):
                self.snapshot + datetime.timedelta(days=offset)
        except OverflowError as error:
            raise UsageError(
                f"--snapshot {self.snapshot} leaves no room for dates around it",
                "give a year from 0002 to 9990",
            ) from error

    @property
    def folder(self) -> Path:
        """The folder of the files."""
        return self.outdir / self.snapshot.isoformat()

    @property
    def indexes(self) -> range:
        """The indexes of all clean records."""
        return range(self.start_index, self.start_index + self.records)

    def chunks(self) -> Iterator[tuple[Path, range]]:
        """Yield the path of each file with the indexes of its records."""
        for start in range(0, self.records, self.chunk):
            indexes = self.indexes[start : start + self.chunk]
            yield self.folder / f"facilities-{indexes.start}.jsonl", indexes
