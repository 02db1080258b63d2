"""JSON lines that parsers disagree on: numbers, escapes, raw bytes, nesting and sizes."""

import json

VALUES = [
    "0", "-0", "-0.0", "0.0", "00", "01", "-01", "-0-0", "1.", ".5", "+1", "1e", "1e5", "1E+5",
    "1e-5", "1e400", "-1e400", "1e99999", "1" + "0" * 400 + ".0", "--1", "0x1", "1" * 18, "1" * 19,
    "1" * 1200, "True", "true", "false", "null", "nul", "NaN", "-NaN", "Infinity", "-Infinity",
    "[1,]", "[,1]", '{"a":1,}', "{,}", "[", "]", "{}", "[]", "[[]]", '{"a":{}}', "'x'", "/**/1",
    '"\\x"', '"\\u12"', '"\\u00e9"', '"\\ud83c"', '"\\ud83c\\udf00"', '"\\udf00\\ud83c"',
    '"\\\\ud83c"', '"\\\\\\ud83c"', '"\\ud83c\\u0041"', '"\\uD83C\\n\\uDF00"', '"\\u0000"',
    '"\\u001f"', '"Infinity"', '"-Infinity"', '"-0"', '":-0"', '": -0, \\" 1e400"', '"0"',
    '" 12 "', '"\\t"', '"\u2028"', '"\u0085"', '"\u00a0 x"', '"\\N"', '"\ufffd"', '"\ufeff"',
    '"{"', '"["', '"{\\"a\\":1}"', '"\U0001f3e5"', '"\U0010ffff"', '"\\/"', "1 ", '"2026-01-05"',
    "20260105", '"x"y', "tru", '"', '"\\',
]  # fmt: skip
FIELDS = [
    "employee_count", "facility_id", "facility_name", "services", "labs", "accreditations",
    "snapshot_date", "location", "unknown",
]  # fmt: skip
NESTED = {
    "location": '{"state":%s,"city":%s,"x":%s,"zip":%s,"address":[%s]}',
    "services": '[%s,%s,1,%s,"a",%s,%s]',
    "labs": '[{"lab_name":%s,"certifications":[%s,"x",%s]},%s,{"certifications":%s}]',
    "accreditations": '[{"valid_until":%s,"accreditation_id":%s},%s,'
    '{"accreditation_body":%s,"valid_until":"2025-12-01"},{"valid_until":"2025-12-01","x":[%s]}]',
}
BYTES = [
    b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xa0\xbc\xed\xbc\x80", b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xc2", b"\xe2\x82",
    b"\xf0\x9f\x8f", b"\x80", b"\xfe", b"\xef\xbf\xbd", b"\xef\xbb\xbf", b"\xef\xbf\xbf",
    b"\xe2\x80\xa8", b"\xc2\x85", b"\x00", b"\x01", b"\x01\x01", b"\x01NULL", b"\x01\x01NULL",
    b"\x02", b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x1f", b"\x7f",
]  # fmt: skip
BRACKETS = [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")]
DEPTHS = [99, 100, 101, 199, 200, 201, 300, 1500, 5000]
LIMIT = 8_000_000


def _record(name: str, field: str, value: str) -> bytes:
    """A record with a field more, which it may already have."""
    head = json.dumps({"facility_id": name, "facility_name": "N"})[:-1]
    return f'{head}, "{field}": {value}}}'.encode()


def _of_values() -> list[bytes]:
    """Each value alone, in every field, and nested in the lists of a record."""
    lines = []
    for number, value in enumerate(VALUES):
        lines.append(value.encode())
        for field in FIELDS:
            record = _record(f"V{number}-{field}", field, value)
            lines += [record, b" \t" + record + b"\t "]
        for field, shape in NESTED.items():
            lines.append(_record(f"N{number}-{field}", field, shape % ((value,) * 5)))
    return lines


def _of_bytes() -> list[bytes]:
    """Raw bytes before, after and inside a record."""
    lines = []
    for number, raw in enumerate(BYTES):
        record = b'{"facility_id":"B%d","facility_name":"a"}' % number
        lines += [
            raw,
            raw + record,
            record + raw,
            record[:-2] + raw + b'"}',
            record[:-1] + raw + b"}",
            record.replace(b':"a"', b":" + raw + b'"a"'),
            b" " + raw,
            raw + b"\t",
        ]
    return lines


def _of_depths() -> list[bytes]:
    """Nesting around the limits, open and closed, in text and in values."""
    lines = []
    for depth in DEPTHS:
        for number, (begin, end) in enumerate(BRACKETS):
            name = b"%d-%d" % (depth, number)
            in_text = (begin * depth + end * depth).replace(b'"', b"")
            lines += [
                begin * depth + b"1" + end * depth,
                begin * depth,
                end * depth,
                begin * depth + end * (depth - 1),
                (begin + b"1" + end) * depth,
                b'{"facility_id":"D%s","x":' % name + begin * depth + b"1" + end * depth + b"}",
                b'{"facility_id":"E%s","x":"' % name + in_text + b'"}',
                b'{"facility_id":"F%s","x":"\\"' % name + in_text + b'"}',
                b'{"facility_id":"G%s","x":[' % name + (begin + b"1" + end + b",") * depth + b"1]}",
            ]
    return lines


def _of_sizes() -> list[bytes]:
    """Long keys, numbers and texts, and lines around the largest size."""
    lines = [
        b'{"facility_id":"K1","' + b"k" * 40_000 + b'":1}',
        b'{"facility_id":"K2","x":' + b"1" * 200_000 + b"}",
        b'{"facility_id":"K3","y":-0,"x":"' + b'\\"[' * 500_000 + b'"}',
        b"[[[" * 600_000,
        b"[" * 500_000 + b"]" * 500_000,
    ]
    for size in (LIMIT - 1, LIMIT, LIMIT + 1):
        head = b'{"facility_id":"L%d","x":"' % size
        lines.append(head + b"y" * (size - len(head) - 2) + b'"}')
    return lines


EDGE_CASE_LINES = [
    b'{"facility_id":"first"}',
    *_of_values(),
    *_of_bytes(),
    *_of_depths(),
    *_of_sizes(),
]
