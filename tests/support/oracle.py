"""What the contract says about records, in plain Python. Knows nothing of the SQL."""

import calendar
import datetime
import json
import re
from collections import Counter
from dataclasses import dataclass, field

from tests.support.container_oracle import lines_of

WHOLE = re.compile(r"[0-9]{1,18}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ALWAYS_REJECTING = {
    "not_utf8", "not_json", "not_object", "too_large", "too_deep", "facility_id_missing",
    "facility_id_invalid",
    "file_truncated", "file_unreadable", "file_not_json", "file_utf16", "file_utf32", "file_csv",
    "file_html", "file_xml", "file_not_text",
}  # fmt: skip
MOST_COMPARED = 1000
CODES = [
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA",
    "KS", "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ",
    "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT",
    "VA", "WA", "WV", "WI", "WY", "DC", "AS", "GU", "MP", "PR", "VI",
]  # fmt: skip
NAMES = [
    "ALABAMA", "ALASKA", "ARIZONA", "ARKANSAS", "CALIFORNIA", "COLORADO", "CONNECTICUT",
    "DELAWARE", "FLORIDA", "GEORGIA", "HAWAII", "IDAHO", "ILLINOIS", "INDIANA", "IOWA", "KANSAS",
    "KENTUCKY", "LOUISIANA", "MAINE", "MARYLAND", "MASSACHUSETTS", "MICHIGAN", "MINNESOTA",
    "MISSISSIPPI", "MISSOURI", "MONTANA", "NEBRASKA", "NEVADA", "NEW HAMPSHIRE", "NEW JERSEY",
    "NEW MEXICO", "NEW YORK", "NORTH CAROLINA", "NORTH DAKOTA", "OHIO", "OKLAHOMA", "OREGON",
    "PENNSYLVANIA", "RHODE ISLAND", "SOUTH CAROLINA", "SOUTH DAKOTA", "TENNESSEE", "TEXAS",
    "UTAH", "VERMONT", "VIRGINIA", "WASHINGTON", "WEST VIRGINIA", "WISCONSIN", "WYOMING",
    "DISTRICT OF COLUMBIA", "AMERICAN SAMOA", "GUAM", "NORTHERN MARIANA ISLANDS", "PUERTO RICO",
    "VIRGIN ISLANDS",
]  # fmt: skip
NOTHING = ("N/A", "NA", "NULL", "NONE", "-", "?")
STATE_CODES = {code: code for code in CODES} | dict(zip(NAMES, CODES, strict=True))
# Usual spellings in upper case, without dots and commas.
USUAL = {
    usual: code
    for code, *spellings in (
        line.split("|")
        for line in """AL|ALA
AK|ALAS
AZ|ARIZ
AR|ARK
CA|CALIF|CAL
CO|COLO
CT|CONN
DE|DEL
FL|FLA
ID|IDA
IL|ILL|ILLS
IN|IND
KS|KAN|KANS
KY|COMMONWEALTH OF KENTUCKY
MA|MASS|COMMONWEALTH OF MASSACHUSETTS
MI|MICH
MN|MINN
MS|MISS
MT|MONT
NE|NEB|NEBR
NV|NEV
NH|N H|N HAMPSHIRE
NJ|N J|N JERSEY
NM|N M|N MEX|N MEXICO
NY|N Y|N YORK|NEW YORK STATE
NC|N C|N CAROLINA
ND|N D|N DAK|N DAKOTA
OK|OKLA
OR|ORE|OREG
PA|PENN|PENNA|COMMONWEALTH OF PENNSYLVANIA
RI|R I
SC|S C|S CAROLINA
SD|S D|S DAK|S DAKOTA
TN|TENN
TX|TEX
VA|COMMONWEALTH OF VIRGINIA
WA|WASH|WASHINGTON STATE
WV|W V|W VA|WVA|W VIRGINIA
WI|WIS|WISC
WY|WYO
DC|D C|WASHINGTON DC|WASHINGTON D C|DIST OF COLUMBIA
MP|CNMI|COMMONWEALTH OF THE NORTHERN MARIANA ISLANDS
PR|P R|COMMONWEALTH OF PUERTO RICO
VI|USVI|US VIRGIN ISLANDS|VIRGIN ISLANDS US|UNITED STATES VIRGIN ISLANDS""".splitlines()
    )
    for usual in spellings
}


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


@dataclass
class Facility:
    """An accepted record."""

    source: str
    order: int
    line: bytes
    facility_id: str
    name: str | None
    state: str
    employees: int | None
    services: int
    snapshot: datetime.date | None
    accreditations: list[datetime.date | None]
    objects: int
    record: dict
    issues: set[str] = field(default_factory=set)

    @property
    def rank(self):
        date = self.snapshot.isoformat() if self.snapshot else ""
        return date, self.source.encode(), self.line


@dataclass
class Options:
    as_of: datetime.date
    months: int | None = None
    days: int | None = None
    include_expired: bool = False
    renewals: str = "replace"
    first: str = "listed"
    accredited: str = "current"
    only_accredited: bool = False
    snapshot: str = "latest"
    top: int | None = None
    include_zero: bool = False
    strict_states: bool = False
    moved: dict[str, str] = field(default_factory=dict)
    strict: bool = False
    id_pattern: str | None = None
    null_words: tuple[str, ...] = NOTHING

    def severity(self, reason: str) -> str:
        moved = self.moved.get(reason, "warn")
        if reason == "order_undecided":
            return moved
        return "reject" if self.strict or reason in ALWAYS_REJECTING else moved


AS_IT_IS = Options(datetime.date.min)


@dataclass
class File:
    source: str
    content: bytes
    folder_date: datetime.date | None = None


@dataclass
class Verdict:
    lines: int = 0
    rejected: list[tuple[str, bytes | None]] = field(default_factory=list)
    issues: Counter = field(default_factory=Counter)
    lines_by_file: Counter = field(default_factory=Counter)
    facilities: list[Facility] = field(default_factory=list)


def judge(files: list[File], options: Options = AS_IT_IS) -> Verdict:
    verdict = Verdict()
    for file in sorted(files, key=lambda f: f.source.encode()):
        lines = lines_of(file.content)
        if isinstance(lines, str):
            verdict.lines += 1
            verdict.lines_by_file[file.source] = 1
            verdict.issues[lines] += 1
            verdict.rejected.append((file.source, None))
            continue
        verdict.lines_by_file[file.source] = len(lines)
        for order, line in enumerate(lines):
            verdict.lines += 1
            issues: list[str] = []
            facility = judge_line(file, order, line, issues, options.null_words)
            pattern = options.id_pattern
            if facility and pattern and not re.fullmatch(pattern, facility.facility_id):
                issues.append("facility_id_pattern")
            severities = {issue: options.severity(issue) for issue in issues}
            verdict.issues.update(issue for issue in issues if severities[issue] != "off")
            if facility is None or "reject" in severities.values():
                verdict.rejected.append((file.source, line))
            else:
                facility.issues = {issue for issue in issues if severities[issue] != "off"}
                verdict.facilities.append(facility)
    return verdict


def judge_line(
    file: File, order: int, line: bytes, issues: list[str], words: tuple[str, ...] = NOTHING
) -> Facility | None:
    reason, record = parse(line)
    if reason:
        issues.append(reason)
        return None
    value = record.get("facility_id")
    facility_id = text(value, words)
    if facility_id is None:
        is_odd_number = isinstance(value, Number) and scalar(value) is None
        issues.append("facility_id_invalid" if is_odd_number else "facility_id_missing")
    name = text(record.get("facility_name"), words)
    if name is None:
        issues.append("facility_name_missing")
    for name_of_list in ("services", "labs", "accreditations"):
        value = record.get(name_of_list)
        if value is not None and not isinstance(value, list):
            issues.append(f"{name_of_list}_invalid")
    items = list_of(record.get("accreditations"))
    dates = [expiry_of(item, issues, words) for item in items]
    services = record.get("services")
    state = state_of(record, issues, words)
    employees = employees_of(record, issues, words)
    snapshot = snapshot_of(record, issues, words) or file.folder_date
    if facility_id is None:
        return None
    return Facility(
        file.source, order, line, facility_id, name, state, employees,
        len(services) if isinstance(services, list) else 0,
        snapshot, dates, sum(isinstance(item, dict) for item in items), record,
    )  # fmt: skip


def parse(line: bytes) -> tuple[str, dict]:
    """The reason why a line is no record, or the record."""
    if len(line) > 8_000_000:
        return "too_large", {}
    try:
        decoded = line.decode("utf-8")
    except UnicodeDecodeError:
        return "not_utf8", {}
    if nesting(decoded) > 200:
        return "too_deep", {}
    try:
        value = json.loads(decoded, parse_constant=refuse, parse_int=Number, parse_float=Number)
        require_unicode(value)
    except (ValueError, RecursionError):
        return "not_json", {}
    if not isinstance(value, dict):
        return "not_object", {}
    return "", value


def nesting(line: str) -> int:
    """How deep brackets that close nest, outside strings."""
    heights = [0]
    deepest = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(r'"([^"\\]|\\.)*"', '""', line)):
        if bracket in "[{":
            heights.append(0)
        elif len(heights) > 1:
            closed = heights.pop() + 1
            deepest = max(deepest, closed)
            heights[-1] = max(heights[-1], closed)
        else:
            heights = [0]
    return deepest


def refuse(word: str):
    raise ValueError(word)


def require_unicode(value) -> None:
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, dict):
        for key, item in value.items():
            require_unicode(key)
            require_unicode(item)
    elif isinstance(value, list):
        for item in value:
            require_unicode(item)


def scalar(value) -> str | None:
    if isinstance(value, Number):
        return str(value) if WHOLE.fullmatch(value) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def text(value, words: tuple[str, ...] = NOTHING) -> str | None:
    found = scalar(value)
    trimmed = found.strip(" \t\r\n") if found is not None else ""
    return trimmed if trimmed and in_ascii_capitals(trimmed) not in words else None


def in_ascii_capitals(found: str) -> str:
    return "".join(c.upper() if c.isascii() else c for c in found)


def day(value, words: tuple[str, ...] = NOTHING) -> datetime.date | None:
    found = scalar(value)
    if found is None or not DAY.fullmatch(found) or found in words:
        return None
    try:
        return datetime.date.fromisoformat(found)
    except ValueError:
        return None


def is_given(value, words: tuple[str, ...] = NOTHING) -> bool:
    """Present, and not merely a text that is blank or a word for nothing."""
    return value is not None and not (scalar(value) is not None and text(value, words) is None)


def employees_of(record: dict, issues: list[str], words: tuple[str, ...]) -> int | None:
    value = record.get("employee_count")
    found = text(value, words)
    if found is not None and WHOLE.fullmatch(found):
        return int(found)
    if is_given(value, words):
        issues.append("employee_count_invalid")
    return None


def expiry_of(item, issues: list[str], words: tuple[str, ...]) -> datetime.date | None:
    if not isinstance(item, dict):
        issues.append("accreditation_invalid")
        return None
    value = item.get("valid_until")
    found = day(value, words)
    if not is_given(value, words):
        issues.append("accreditation_date_missing")
    elif found is None:
        issues.append("accreditation_date_invalid")
    return found


def snapshot_of(record: dict, issues: list[str], words: tuple[str, ...]) -> datetime.date | None:
    value = record.get("snapshot_date")
    found = day(value, words)
    if found is None and is_given(value, words):
        issues.append("snapshot_date_invalid")
    return found


def state_of(record: dict, issues: list[str], words: tuple[str, ...]) -> str:
    location = record.get("location")
    found = text(location.get("state"), words) if isinstance(location, dict) else None
    if found is None:
        issues.append("state_missing")
        return "UNKNOWN"
    upper = in_ascii_capitals(found)
    plain = " ".join(re.split(r"[ ,\t\r\n]+", upper.replace(".", ""))).strip(" ")
    code = STATE_CODES.get(upper) or STATE_CODES.get(plain) or usual_state(plain)
    if code is None:
        issues.append("state_not_recognised")
    return code or upper


def usual_state(plain: str) -> str | None:
    if plain in USUAL:
        return USUAL[plain]
    for prefix in ("US-", "STATE OF "):
        name = plain.removeprefix(prefix)
        if name != plain and (name in CODES if prefix == "US-" else name in NAMES):
            return STATE_CODES[name]
    return None


def unrenewed(facility: Facility, words: tuple[str, ...]) -> list[datetime.date | None]:
    """The dates of a facility's accreditations, None where another of the list renews it."""
    items, dates = list_of(facility.record.get("accreditations")), facility.accreditations
    if len(items) > MOST_COMPARED:
        return dates
    names = [
        (text(item.get("accreditation_body"), words), text(item.get("accreditation_id"), words))
        if isinstance(item, dict)
        else (None, None)
        for item in items
    ]
    latest: dict[tuple, datetime.date] = {}
    for name, date in zip(names, dates, strict=True):
        if date and None not in name:
            latest[name] = max(date, latest.get(name, date))
    return [
        None if date and date < latest.get(name, date) else date
        for name, date in zip(names, dates, strict=True)
    ]


def list_of(value) -> list:
    return value if isinstance(value, list) else []


def numbered(value) -> list[tuple[int, dict]]:
    """The objects of a list by their places in it."""
    return [(n, item) for n, item in enumerate(list_of(value), 1) if isinstance(item, dict)]


def tier(days: int) -> str:
    if days < 0:
        return "expired"
    for most, name in ((30, "critical"), (60, "high"), (90, "medium")):
        if days <= most:
            return name
    return "later"


def add_months(start: datetime.date, months: int) -> datetime.date:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > 9999:
        return datetime.date.max
    last = calendar.monthrange(year, month + 1)[1]
    return datetime.date(year, month + 1, min(start.day, last))


class Oracle:
    """The outputs that the contract asks for."""

    def __init__(self, files: list[File], options: Options):
        self.verdict = judge(files, options)
        self.options = options
        self.current = self._current()
        for facility in self.current:
            if options.strict_states and facility.state not in CODES:
                facility.state = "UNKNOWN"

    def _text(self, value) -> str | None:
        return text(value, self.options.null_words)

    @property
    def superseded(self) -> int:
        return len(self.verdict.facilities) - len(self.current)

    def _current(self) -> list[Facility]:
        facilities = self.verdict.facilities
        if self.options.snapshot == "newest":
            # Absent is earlier than any day, the first of the year 1 too.
            newest = max((f.snapshot for f in facilities if f.snapshot), default=None)
            facilities = [f for f in facilities if f.snapshot == newest]
        elif self.options.snapshot != "latest":
            until = datetime.date.fromisoformat(self.options.snapshot)
            facilities = [f for f in facilities if f.snapshot is None or f.snapshot <= until]
        best: dict[str, Facility] = {}
        for facility in facilities:
            held = best.get(facility.facility_id)
            if held is None or facility.rank > held.rank:
                best[facility.facility_id] = facility
        undecided = {
            facility.facility_id
            for facility in facilities
            if facility.rank[:2] == best[facility.facility_id].rank[:2]
            and facility.line != best[facility.facility_id].line
        }
        if undecided and self.options.severity("order_undecided") != "off":
            self.verdict.issues["order_undecided"] = len(undecided)
            for facility_id in undecided:
                best[facility_id].issues.add("order_undecided")
        return sorted(best.values(), key=lambda f: (f.source.encode(), f.order))

    def _counted(self, facility: Facility) -> int:
        if self.options.accredited == "any":
            return facility.objects
        return sum(d is not None and d >= self.options.as_of for d in facility.accreditations)

    def is_accredited(self, facility: Facility) -> bool:
        return self._counted(facility) > 0

    def _is_in_window(self, date: datetime.date | None) -> bool:
        options = self.options
        if options.days is None:
            end = add_months(options.as_of, 6 if options.months is None else options.months)
        else:
            end = options.as_of + datetime.timedelta(days=options.days)
        start = datetime.date.min if options.include_expired else options.as_of
        return date is not None and start <= date <= end

    def _dates(self, facility: Facility) -> list[datetime.date | None]:
        """The dates of the accreditations, None for those that neither expire nor lapse."""
        if self.options.renewals == "separate":
            return facility.accreditations
        return unrenewed(facility, self.options.null_words)

    def _is_expiring(self, facility: Facility) -> bool:
        return any(map(self._is_in_window, self._dates(facility)))

    def already_expired(self) -> int:
        """How many facilities have an accreditation that has lapsed."""
        as_of = self.options.as_of
        return sum(any(d and d < as_of for d in self._dates(f)) for f in self.current)

    def _first(self, facility: Facility) -> datetime.date | None:
        if self.options.first == "earliest":
            return min((d for d in facility.accreditations if d), default=None)
        return facility.accreditations[0] if facility.accreditations else None

    def extract(self) -> list[tuple]:
        wanted = [f for f in self.current if not self.options.only_accredited or self._counted(f)]
        wanted.sort(key=lambda f: f.facility_id.encode())
        if self.options.top is not None:
            wanted.sort(key=self._soonest)
        return [
            (f.facility_id, f.name, f.employees, f.services, self._first(f))
            for f in wanted[: self.options.top]
        ]

    def _soonest(self, facility: Facility) -> tuple:
        ahead = [d for d in facility.accreditations if d is not None and d >= self.options.as_of]
        return (0, min(ahead)) if ahead else (1,)

    def expiring(self) -> bytes:
        return b"".join(f.line + b"\n" for f in self.current if self._is_expiring(f))

    def state_counts(self) -> list[tuple]:
        states: dict[str, list[int]] = {}
        for facility in self.current:
            row = states.setdefault(facility.state, [0, 0, 0, 0])
            counted = self._counted(facility)
            row[0] += counted > 0
            row[1] += 1
            row[2] += facility.employees or 0
            row[3] += counted
        if self.options.include_zero:
            for code in CODES:
                states.setdefault(code, [0, 0, 0, 0])
        rows = [(state, *counts) for state, counts in states.items()]
        return sorted(rows, key=lambda row: (-row[1], row[0].encode()))

    def lapsing(self) -> list[tuple[Facility, int, dict]]:
        """Each accreditation that expires in the window: whose, its place, what is told of it."""
        return [
            (facility, number, self._details(item, facility.accreditations[number - 1]))
            for facility in self.current
            for number, item in numbered(facility.record.get("accreditations"))
            if self._is_in_window(self._dates(facility)[number - 1])
        ]

    def _details(self, item: dict, date: datetime.date) -> dict:
        days = (date - self.options.as_of).days
        return {
            "accreditation_body": self._text(item.get("accreditation_body")),
            "accreditation_id": self._text(item.get("accreditation_id")),
            "valid_until": date,
            "days_until_expiry": days,
            "tier": tier(days),
        }

    def expiring_accreditations(self) -> list[tuple]:
        found = sorted(
            self.lapsing(), key=lambda x: (x[2]["valid_until"], x[0].facility_id.encode(), x[1])
        )
        return [(f.facility_id, f.name, f.state, *details.values()) for f, _, details in found]

    def expiring_details(self) -> list[tuple[bytes, list[dict]]]:
        """The lines of the expiring facilities, and what --annotate adds to each."""
        added: dict[str, list[dict]] = {}
        for facility, number, details in self.lapsing():
            date = details["valid_until"].isoformat()
            told = {"item": number, **details, "valid_until": date}
            added.setdefault(facility.facility_id, []).append(told)
        return [(f.line, added[f.facility_id]) for f in self.current if self._is_expiring(f)]

    def expiry_calendar(self) -> list[tuple]:
        months: dict[tuple, list[str]] = {}
        for facility, _, details in self.lapsing():
            key = details["valid_until"].replace(day=1), details["accreditation_body"]
            months.setdefault(key, []).append(facility.facility_id)
        rows = [(*key, len(ids), len(set(ids))) for key, ids in months.items()]
        return sorted(rows, key=lambda row: (row[0], row[1] is None, (row[1] or "").encode()))

    def nested(self) -> dict[str, dict]:
        """By facility id, what the five flat tables give back together."""
        return {f.facility_id: self._nest(f) for f in self.current}

    def _nest(self, facility: Facility) -> dict:
        record = facility.record
        location = record.get("location")
        place = location if isinstance(location, dict) else {}
        return {
            "fields": (
                facility.name, self._text(place.get("address")), self._text(place.get("city")),
                facility.state, self._text(place.get("zip")), facility.employees, facility.snapshot,
                facility.source,
            ),
            "services": [self._text(item) for item in list_of(record.get("services"))],
            "labs": {
                number: (self._text(lab.get("lab_name")),
                         [self._text(item) for item in list_of(lab.get("certifications"))])
                for number, lab in numbered(record.get("labs"))
            },
            "accreditations": {
                number: (self._text(item.get("accreditation_body")),
                         self._text(item.get("accreditation_id")),
                         facility.accreditations[number - 1])
                for number, item in numbered(record.get("accreditations"))
            },
        }  # fmt: skip
