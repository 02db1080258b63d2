"""Hypothesis strategies for records, lines and files, clean and dirty."""

import datetime
import json

from hypothesis import strategies as st

from tests.support.edge_case_values import (
    BROKEN_LINES,
    NEAR_DATES,
    NO_DATES,
    ODD_NESTED,
    ODD_SCALARS,
    ODD_TEXTS,
    STATE_SPELLINGS,
)
from tests.support.oracle import NAMES, NOTHING, File, Options
from tests.support.packed_files import CODECS, in_members

AS_OF = st.sampled_from(
    [
        datetime.date.fromisoformat(d)
        for d in ("2025-08-31", "2024-02-29", "2025-11-30", "2026-01-01")
    ]
)
ODD_TEXT = st.sampled_from(ODD_TEXTS)
ODD = st.one_of(
    ODD_TEXT,
    st.sampled_from(ODD_SCALARS),
    st.sampled_from(ODD_NESTED),
    st.text(max_size=8),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)


def mostly(usual, odd=ODD, parts: int = 6):
    """`usual`, and once in a while something odd."""
    return st.integers(0, parts).flatmap(lambda n: odd if n == 0 else usual)


DATE = mostly(st.sampled_from(NEAR_DATES), st.one_of(st.sampled_from(NO_DATES), ODD))
ACCREDITATION = mostly(
    st.fixed_dictionaries(
        {"valid_until": DATE},
        optional={
            "accreditation_body": mostly(st.sampled_from(["NCQA", "URAC"])),
            "accreditation_id": mostly(st.sampled_from(["A-1", "B-2", "007"])),
        },
    ),
    parts=10,
)
STATE = mostly(st.sampled_from(STATE_SPELLINGS) | st.sampled_from(NAMES))
LAB = mostly(
    st.fixed_dictionaries(
        {},
        optional={
            "lab_name": mostly(st.sampled_from(["Core Lab", " Blood Bank\n"])),
            "certifications": mostly(
                st.lists(mostly(st.sampled_from(["CLIA", "CAP"])), max_size=3)
            ),
        },
    )
)
RECORD = st.fixed_dictionaries(
    {"facility_id": mostly(st.sampled_from(["F1", "F2", "F3", " F1 ", "F4", "17"]), parts=12)},
    optional={
        "facility_name": mostly(st.just("Fernando Nanini Clinic")),
        "location": mostly(
            st.fixed_dictionaries({}, optional={"state": STATE, "city": ODD, "zip": ODD})
        ),
        "employee_count": mostly(st.integers(0, 5000) | st.sampled_from(["12", " 7 ", "007"])),
        "services": mostly(st.lists(mostly(ODD_TEXT), max_size=3)),
        "labs": mostly(st.lists(LAB, max_size=3)),
        "accreditations": mostly(st.lists(ACCREDITATION, max_size=3)),
        "snapshot_date": DATE,
        "unknown": ODD,
    },
)


def as_json(record, style: int) -> bytes:
    separators = (",", ":") if style & 1 else (" , ", " : ")
    return json.dumps(record, ensure_ascii=bool(style & 2), separators=separators).encode(
        "utf-8", "replace"
    )


GOOD_LINE = st.builds(as_json, RECORD, st.integers(0, 3))
BROKEN_LINE = st.one_of(
    st.sampled_from(BROKEN_LINES),
    st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b" ").replace(b"\r", b" ")),
)
MUTATED_LINE = st.builds(
    lambda line, at, byte: line[: at % len(line)] + bytes([byte]) + line[at % len(line) + 1 :],
    GOOD_LINE,
    st.integers(0, 10_000),
    st.integers(0, 255).filter(lambda byte: byte not in b"\r\n"),
)
LINE = st.integers(0, 9).flatmap(
    lambda n: BROKEN_LINE if n == 0 else MUTATED_LINE if n == 1 else GOOD_LINE
)
ENDING = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b"\n \t\n"])


@st.composite
def contents(draw, line=LINE) -> bytes:
    """A file of lines with endings of all kinds, its last line perhaps without one."""
    lines = draw(st.lists(line, max_size=25))
    endings = draw(st.lists(ENDING, min_size=len(lines), max_size=len(lines)))
    content = b"".join(a + b for pair in zip(lines, endings, strict=True) for a, b in [pair])
    if draw(st.booleans()):
        content = content.rstrip(b"\r\n")
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + content


def as_document(record, style: int) -> bytes:
    indent = (None, None, 2, "\t")[style % 4]
    text = json.dumps(record, indent=indent, ensure_ascii=bool(style & 4))
    return text.encode("utf-8", "replace")


DOCUMENT = st.builds(as_document, RECORD, st.integers(0, 7))
SPACE = st.sampled_from([b"", b" ", b"\n", b"\r\n  ", b"\t"])
SEPARATOR = st.builds(lambda a, b: a + b"," + b, SPACE, SPACE)


@st.composite
def containers(draw) -> bytes:
    """A container, whole or not quite."""
    items = draw(st.lists(DOCUMENT | st.sampled_from([b"1", b"null", b"[]", b'"x"']), max_size=4))
    kind = draw(st.sampled_from(["array", "wrapper", "objects", "lines"]))
    if kind == "objects":
        content = draw(SPACE).join(items)
    elif kind == "lines":
        content = b"\n".join([*items, draw(BROKEN_LINE)])
    else:
        content = b"[" + draw(SPACE) + draw(SEPARATOR).join(items) + draw(SPACE) + b"]"
    if kind == "wrapper":
        key = draw(st.sampled_from([b"data", b"facility_id", b"d\\u00e4ta"]))
        before = draw(st.sampled_from([b"", b'"n": 1, ', b'"m": {"x": [{}]},\n', b'"e": [],']))
        content = b"{" + before + b'"' + key + b'":' + content + b"}"
    match draw(st.integers(0, 5)):
        case 0:
            content = content[: draw(st.integers(0, max(len(content), 1)))]
        case 1 if content:
            at = draw(st.integers(0, len(content) - 1))
            content = content[:at] + draw(st.binary(max_size=2)) + content[at + 1 :]
        case 2:
            content += draw(st.sampled_from([b"x", b",", b"]", b"\n{}", b"\n\n"]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + content


BARE = st.sampled_from(
    [b"{}", b'{"id":1}', b'{"id":1,"tags":["a"]}', b'{"a":[{}],"b":[{}]}', b'{"data":[]}',
     b'{"data":[],"errors":[]}', b'{"data":[[{}]]}', b'{"n":[1],"data":[{"data":[{}]}]}', b"[]",
     b"1", b'"[{"', b"null", b'{"services":[{}]}', b'{"data":{"data":[{}]}}']
)  # fmt: skip


def _containers_of(values):
    """Arrays and wrappers, or what merely looks like wrappers, of drawn values."""
    arrays = st.builds(
        lambda items, space: b"[" + space + (b"," + space).join(items) + b"]",
        st.lists(values, max_size=3),
        st.sampled_from([b"", b" "]),
    )
    keys = st.sampled_from([b"data", b"data", b"records", b"labs", b"facility_id", b"d\\u0061ta"])
    befores = st.sampled_from([b"", b'"page": 1, ', b'"next":null,', b'"e":[],', b'"t":["x"],'])
    wrappers = st.builds(lambda *parts: b'{%b"%b":%b}' % parts, befores, keys, arrays)
    return arrays | wrappers


NESTING = st.recursive(GOOD_LINE | GOOD_LINE | BARE, _containers_of, max_leaves=6)


@st.composite
def nestings(draw) -> bytes:
    """Records in any nesting of arrays and wrappers, a value a line or glued, whole or not quite,
    among ordinary lines and broken ones.
    """
    values = st.integers(0, 7).flatmap(
        lambda n: BROKEN_LINE if n == 0 else GOOD_LINE if n < 3 else NESTING
    )
    parts = draw(st.lists(values, min_size=1, max_size=6))
    breaks = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"", b" ", b"\n\n"])
    content = b"".join(part + draw(breaks) for part in parts)
    match draw(st.integers(0, 7)):
        case 0:
            content = content[: draw(st.integers(0, len(content)))]
        case 1:  # pretty-printed, more or less
            content = content.replace(b",", b",\n ")
        case 2 if content:
            at = draw(st.integers(0, len(content) - 1))
            content = content[:at] + draw(st.binary(max_size=2)) + content[at + 1 :]
    return content


@st.composite
def packed_files(draw) -> bytes:
    """A file packed or encoded in any way that is read, now and then cut or with a wrong byte."""
    content = draw(st.one_of(contents(), containers()))
    if draw(st.integers(0, 3)) == 0:
        encoding = draw(st.sampled_from(["utf-16-le", "utf-16-be"]))
        content = ("\ufeff" + content.decode("utf-8", "replace")).encode(encoding)
    if draw(st.integers(0, 3)) == 0:
        content = draw(st.sampled_from([b"\x1e", b"\xef\xbb\xbf"])).join([b"", content])
    packs = list(CODECS.values())
    for _ in range(draw(st.integers(0, 2))):
        pack = draw(st.sampled_from(packs))
        content = in_members(pack, content) if draw(st.booleans()) else pack(content)
    if content and draw(st.integers(0, 3)) == 0:
        content = content[: draw(st.integers(0, len(content) - 1))]
    return content


@st.composite
def file_sets(draw, line=LINE, least: int = 1, most: int = 3) -> list[File]:
    """Files of a SOURCE folder, some of them in folders named by a date; seven at most."""
    names = draw(
        st.lists(
            st.sampled_from(
                ["a.jsonl", "b.json", "2025-08-01/a.jsonl", "snapshot_date=2025-09-01/z.ndjson",
                 "ü/c.txt", "2025-13-01/d.jsonl", "2025-08-01/deep/e.jsonl"]
            ),
            min_size=least,
            max_size=most,
            unique=True,
        )
    )  # fmt: skip
    dates = {
        "2025-08-01": datetime.date(2025, 8, 1),
        "snapshot_date=2025-09-01": datetime.date(2025, 9, 1),
    }
    files, lines = [], contents(line)
    for name in names:
        content = draw(
            st.integers(0, 5).flatmap(lambda n: (containers, nestings)[n]() if n < 2 else lines)
        )
        files.append(File(name, content, dates.get(name.partition("/")[0])))
    return files


MOVES = st.just({}) | st.dictionaries(
    st.sampled_from(
        [
            "facility_name_missing", "employee_count_invalid", "services_invalid", "labs_invalid",
            "accreditations_invalid", "accreditation_invalid", "accreditation_date_missing",
            "accreditation_date_invalid", "state_missing", "state_not_recognised",
            "snapshot_date_invalid", "facility_id_pattern",
        ]
    ),
    st.sampled_from(["reject", "warn", "off"]),
    max_size=4,
)  # fmt: skip
# It never rejects.
ORDER_MOVES = st.sampled_from([{}, {}, {"order_undecided": "warn"}, {"order_undecided": "off"}])


# Words that are values elsewhere: a day, numbers, a state, what DuckDB makes of numbers.
OWN_WORDS = ("X", "2025-08-31", "0", "7", "-1", "12.5", "1000.0", "TX", "17", "INFINITY")


@st.composite
def options(draw) -> Options:
    """Any combination of a run's options."""
    months = draw(st.none() | st.integers(0, 120))
    return Options(
        draw(AS_OF),
        months=months,
        days=draw(st.none() | st.integers(0, 3660)) if months is None else None,
        include_expired=draw(st.booleans()),
        renewals=draw(st.sampled_from(["replace", "replace", "separate"])),
        first=draw(st.sampled_from(["listed", "earliest"])),
        accredited=draw(st.sampled_from(["current", "any"])),
        only_accredited=draw(st.booleans()),
        snapshot=draw(st.sampled_from(["latest", "newest", "2025-08-31", "2024-02-29"])),
        include_zero=draw(st.booleans()),
        strict_states=draw(st.booleans()),
        moved=draw(MOVES) | draw(ORDER_MOVES),
        strict=draw(st.sampled_from([False, False, False, True])),
        id_pattern=draw(st.sampled_from([None, None, "F[0-9]+", "[A-Z]{2}-.*|17"])),
        null_words=draw(st.sampled_from([NOTHING, NOTHING, NOTHING, (), OWN_WORDS])),
    )
