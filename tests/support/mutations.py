"""A sound snapshot, and the ways in which its sender may change a field of all records."""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

Record = dict[str, Any]
Change = Callable[[Any], Any]

BEFORE, TODAY = date(2026, 2, 14), date(2026, 2, 15)
PLACES = {
    "TX": ("Texas", "Houston", "48"), "CA": ("California", "Fresno", "06"),
    "NY": ("New York", "Albany", "36"), "FL": ("Florida", "Tampa", "12"),
    "IL": ("Illinois", "Chicago", "17"), "WA": ("Washington", "Seattle", "53"),
    "OH": ("Ohio", "Columbus", "39"), "PR": ("Puerto Rico", "San Juan", "72"),
}  # fmt: skip
BODIES = ("Joint Commission", "NCQA", "URAC")
SERVICES = ("Cardiology", "Emergency Care", "Radiology", "Oncology", "Dialysis")
FACILITIES = 80
DROP = object()


def sound_record(number: int, snapshot: date) -> Record:
    """A facility as its sender writes it: the same every day, but for the snapshot's date.

    Three in four have an accreditation that expires within six months, a few one that has expired.
    """
    state = list(PLACES)[number % len(PLACES)]
    first = (number * 29) % 240 - 20
    return {
        "facility_id": f"{state}-{1000 + number}",
        "facility_name": f"Clinic {number:02} of {PLACES[state][1]}",
        "location": {
            "address": f"{100 + number} Main St",
            "city": PLACES[state][1],
            "state": state,
            "zip": f"{10000 + 7 * number}",
        },
        "employee_count": 1200 + 13 * number,
        "services": list(SERVICES[: 1 + number % 5]),
        "labs": [{"lab_name": f"Laboratory {number}", "certifications": ["CLIA"]}],
        "accreditations": [
            {
                "accreditation_body": BODIES[(number + item) % 3],
                "accreditation_id": f"A-{number}-{item}",
                "valid_until": (TODAY + timedelta(days=first + 211 * item)).isoformat(),
            }
            for item in range(1 + number % 3)
        ],
        "snapshot_date": snapshot.isoformat(),
    }


def snapshot_of(day: date, facilities: int = FACILITIES) -> list[Record]:
    """The sound snapshot of a day."""
    return [sound_record(number, day) for number in range(facilities)]


def as_lines(records: list[Record]) -> bytes:
    """Records as newline-delimited JSON."""
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@dataclass(frozen=True)
class Mutation:
    """What a sender does to a field of all records; `field` is empty where it is to the file."""

    field: str
    name: str
    mutate: Callable[[list[Record]], list[Record] | bytes]

    @property
    def id(self) -> str:
        """Its name in tests."""
        return f"{self.field or 'file'}: {self.name}"

    def file(self, records: list[Record]) -> bytes:
        """The file that the sender delivers in place of these records."""
        found = self.mutate(copy.deepcopy(records))
        return found if isinstance(found, bytes) else as_lines(found)


def holders(record: Record, field: str) -> list[Record]:
    """The objects of a record in which a field lies."""
    if field in ("accreditation_body", "accreditation_id", "valid_until"):
        return list(record["accreditations"])
    return [record["location"]] if field.startswith("location.") else [record]


def each(field: str, name: str, change: Change) -> Mutation:
    """Change the value of a field in all records; `DROP` leaves it out."""
    key = field.rpartition(".")[2]

    def mutate(records: list[Record]) -> list[Record]:
        for record in records:
            for holder in holders(record, field):
                value = change(holder[key])
                if value is DROP:
                    del holder[key]
                else:
                    holder[key] = value
        return records

    return Mutation(field, name, mutate)


def renamed(field: str, to: str) -> Mutation:
    """Write a field under another key."""
    key = field.rpartition(".")[2]

    def mutate(records: list[Record]) -> list[Record]:
        for record in records:
            for holder in holders(record, field):
                holder[to] = holder.pop(key)
        return records

    return Mutation(field, f"renamed to `{to}`", mutate)


def shuffled(field: str) -> Mutation:
    """Give each record the value of the next one."""
    key = field.rpartition(".")[2]

    def mutate(records: list[Record]) -> list[Record]:
        places = [holder for record in records for holder in holders(record, field)]
        values = [holder[key] for holder in places]
        for holder, value in zip(places, values[1:] + values[:1], strict=True):
            holder[key] = value
        return records

    return Mutation(field, "shuffled among records", mutate)


def whole(name: str, mutate: Callable[[list[Record]], list[Record] | bytes]) -> Mutation:
    """Change the file itself."""
    return Mutation("", name, mutate)


def usual(field: str) -> list[Mutation]:
    """What can be done to any field."""
    return [
        each(field, "left out", lambda _: DROP),
        each(field, "null", lambda _: None),
        each(field, "nested in an object", lambda value: {"value": value}),
        each(field, "`true`", lambda _: True),
        shuffled(field),
    ]


def usual_text(field: str) -> list[Mutation]:
    """What can be done to a text besides."""
    return [
        each(field, "in a list", lambda value: [value]),
        each(field, "empty text", lambda _: ""),
        each(field, "the word `N/A`", lambda _: "N/A"),
        each(field, "with spaces around it", lambda value: f" {value} "),
    ]


def day(change: Callable[[date], Any]) -> Change:
    """A change of a date."""
    return lambda text: change(date.fromisoformat(text))


def dates(field: str) -> list[Mutation]:
    """What can be done to a date besides."""
    return [
        each(field, "date-time (`T00:00:00Z`)", lambda text: f"{text}T00:00:00Z"),
        each(field, "with a time after a space", lambda text: f"{text} 00:00:00"),
        each(field, "US date (`03/31/2026`)", day(lambda d: f"{d:%m/%d/%Y}")),
        each(field, "day first (`31.03.2026`)", day(lambda d: f"{d:%d.%m.%Y}")),
        each(field, "day and month swapped", day(lambda d: f"{d:%Y-%d-%m}")),
        each(field, "two-digit year", day(lambda d: f"{d:%y-%m-%d}")),
        each(field, "without dashes, as a number", day(lambda d: int(f"{d:%Y%m%d}"))),
        each(field, "seconds since 1970", day(lambda d: (d - date(1970, 1, 1)).days * 86400)),
        each(field, "a day earlier", day(lambda d: str(d - timedelta(days=1)))),
        each(field, "a day later", day(lambda d: str(d + timedelta(days=1)))),
        each(field, "a year later", day(lambda d: str(d + timedelta(days=365)))),
        each(field, "always 2099-12-31", lambda _: "2099-12-31"),
        each(field, "always 1900-01-01", lambda _: "1900-01-01"),
    ]


def half(records: list[Record]) -> list[Record]:
    """Half of the records."""
    return records[: len(records) // 2]


def with_keys(value: Any, key: Callable[[str], str]) -> Any:
    """A value with the keys of all its objects changed."""
    if isinstance(value, list):
        return [with_keys(item, key) for item in value]
    if isinstance(value, dict):
        return {key(name): with_keys(item, key) for name, item in value.items()}
    return value


def camel_case(name: str) -> str:
    """A key such as facilityId."""
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


def with_states(change: Callable[[str], Any]) -> Change:
    return lambda state: change(PLACES[state][0])


MUTATIONS = [
    *usual("facility_id"),
    *usual_text("facility_id"),
    renamed("facility_id", "id"),
    each("facility_id", "a number", lambda text: int(text[3:])),
    each("facility_id", "a number with a fraction", lambda text: float(text[3:])),
    each("facility_id", "lower case", str.lower),
    each("facility_id", "with a prefix", lambda text: f"US-{text}"),
    each("facility_id", "padded with zeros", lambda text: text.replace("-", "-00")),
    each("facility_id", "first two characters", lambda text: text[:2]),
    each("facility_id", "always the same", lambda _: "TX-1000"),
    *usual("facility_name"),
    *usual_text("facility_name"),
    renamed("facility_name", "name"),
    each("facility_name", "a number", lambda text: int(text[7:9])),
    each("facility_name", "upper case", str.upper),
    each("facility_name", "first six characters", lambda text: text[:6]),
    each("facility_name", "always the same", lambda _: "Clinic"),
    *usual("location"),
    renamed("location", "address"),
    each("location", "in a list", lambda value: [value]),
    each("location", "one text", lambda value: f"{value['city']}, {value['state']}"),
    each("location", "its state alone", lambda value: value["state"]),
    *usual("location.state"),
    *usual_text("location.state"),
    renamed("location.state", "state_code"),
    each("location.state", "full name", with_states(str)),
    each("location.state", "full name in lower case", with_states(str.lower)),
    each("location.state", "lower case", str.lower),
    each("location.state", "with dots", lambda text: f"{text[0]}.{text[1]}."),
    each("location.state", "with the country (`US-TX`)", lambda text: f"US-{text}"),
    each("location.state", "FIPS code", lambda text: PLACES[text][2]),
    each("location.state", "FIPS code as a number", lambda text: int(PLACES[text][2])),
    each("location.state", "first character", lambda text: text[:1]),
    each("location.state", "always the same", lambda _: "TX"),
    *usual("location.city"),
    renamed("location.city", "town"),
    each("location.address", "left out", lambda _: DROP),
    each("location.address", "in a list of lines", lambda text: [text, ""]),
    shuffled("location.address"),
    each("location.zip", "left out", lambda _: DROP),
    each("location.zip", "a number", int),
    each("location.zip", "with four more digits", lambda text: f"{text}-0001"),
    *usual("employee_count"),
    renamed("employee_count", "employees"),
    each("employee_count", "text of digits", str),
    each("employee_count", "with a comma (`1,234`)", lambda count: f"{count:,}"),
    each("employee_count", "with a fraction (`250.0`)", float),
    each("employee_count", "with a word", lambda count: f"{count} people"),
    each("employee_count", "a range", lambda count: f"{count - 50}-{count + 50}"),
    each("employee_count", "empty text", lambda _: ""),
    each("employee_count", "negative", lambda count: -count),
    each("employee_count", "always 0", lambda _: 0),
    each("employee_count", "in hundreds", lambda count: count // 100),
    each("employee_count", "first digit", lambda count: int(str(count)[:1])),
    *usual("services"),
    renamed("services", "offered_services"),
    each("services", "one text", ", ".join),
    each("services", "their number", len),
    each("services", "objects in place of texts", lambda items: [{"name": i} for i in items]),
    each("services", "empty list", lambda _: []),
    each("services", "the first alone", lambda items: items[:1]),
    *usual("labs"),
    renamed("labs", "laboratories"),
    each("labs", "one text", lambda items: items[0]["lab_name"]),
    each("labs", "empty list", lambda _: []),
    *usual("accreditations"),
    renamed("accreditations", "accreditation_list"),
    each("accreditations", "JSON in a text", json.dumps),
    each("accreditations", "one object", lambda items: items[0]),
    each("accreditations", "an object by id", lambda items: {
        item["accreditation_id"]: item for item in items
    }),
    each("accreditations", "list of their ids", lambda items: [
        item["accreditation_id"] for item in items
    ]),
    each("accreditations", "a list in a list", lambda items: [items]),
    each("accreditations", "items under another key", lambda items: [
        {"accreditation": item} for item in items
    ]),
    each("accreditations", "empty list", lambda _: []),
    each("accreditations", "the first alone", lambda items: items[:1]),
    each("accreditations", "the last alone", lambda items: items[-1:]),
    each("accreditations", "in reverse order", lambda items: items[::-1]),
    each("accreditations", "each twice", lambda items: [i for i in items for _ in "ab"]),
    *usual("accreditation_body"),
    renamed("accreditation_body", "body"),
    each("accreditation_body", "upper case", str.upper),
    *usual("accreditation_id"),
    renamed("accreditation_id", "certificate"),
    each("accreditation_id", "a number", lambda text: int(text.split("-")[1])),
    *usual("valid_until"),
    *usual_text("valid_until"),
    renamed("valid_until", "validUntil"),
    *dates("valid_until"),
    *usual("snapshot_date"),
    *usual_text("snapshot_date"),
    renamed("snapshot_date", "snapshotDate"),
    *dates("snapshot_date"),
    whole("half of the records", half),
    whole("a tenth of the records", lambda records: records[: len(records) // 10]),
    whole("each record twice", lambda records: [r for r in records for _ in "ab"]),
    whole("in another order", lambda records: records[::-1]),
    whole("one list", lambda records: json.dumps(records).encode()),
    whole("a list in an object", lambda records: json.dumps({"data": records}).encode()),
    whole("each record in an object", lambda records: [{"facility": r} for r in records]),
    whole("keys in camel case", lambda records: with_keys(records, camel_case)),
    whole("keys in upper case", lambda records: with_keys(records, str.upper)),
    whole("breaks off in a record", lambda records: as_lines(records)[:-30]),
    whole("breaks off after half of its bytes", lambda records: (
        as_lines(records)[: len(as_lines(records)) // 2]
    )),
    whole("a list that breaks off", lambda records: json.dumps(records).encode()[:-30]),
    whole("in UTF-16", lambda records: as_lines(records).decode().encode("utf-16")),
    whole("empty", lambda _: b""),
    whole("an empty list", lambda _: b"[]"),
    whole("a third more facilities", lambda records: (
        records + [
            record | {"facility_id": f"N-{number}", "facility_name": f"New {number}"}
            for number, record in enumerate(records[: len(records) // 3])
        ]
    )),
]  # fmt: skip
