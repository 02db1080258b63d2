"""Values, dates and lines of records that are edge cases of the rules."""

NEAR_DATES = [
    "2025-08-30", "2025-08-31", "2025-09-01", "2026-02-27", "2026-02-28", "2026-03-01",
    "2024-02-28", "2024-02-29", "2024-08-29", "2024-08-30", "2025-11-29", "2026-05-30",
    "2026-05-31", "2026-01-01", "2026-07-01", "2026-07-02", "9999-12-31", "0001-01-01",
]  # fmt: skip
NO_DATES = [
    "n/a", "", " ", "?", " NULL", "none", "-1", "1000.0", "0",
    "2025-02-29", "2025-13-01", "2025-1-5", " 2026-01-05", "2026-01-05 ",
    "2026-01-05T00:00:00Z", "20260105", "0000-01-01", "2026-01-05\n", "infinity", "12026-01-01",
    "٢٠٢٦-01-05", "-044-03-15", "2026-00-10", "epoch",
]  # fmt: skip
ODD_TEXTS = [
    "", " ", "\t x \n", "{", "[x", '"quoted"', "\\N", "\\", "null", "NaN", "Nancy, ]", "a,}",
    "naïve ß 漢字 🏥", "\u0001", "\u0000", "\u2028", "\u00a0x\u00a0", "0", "-0", "12.5", "1e3",
    "0123456789012345678", "O'Brien; drop table", "%{%{", "\ufeff", "x" * 300, ": nan", "true",
    "N/A", "na", " None\t", "-", "?", "n/a.", "NULLS", "n\u0131l", "\ufb01", "--", "-1",
    "12.5", "1000.0",
]  # fmt: skip
ODD_SCALARS = [
    0, -1, 12.5, 7, 10**17, 10**18, 10**25, -0.0, 1e300, 999999999999999999, True, False, None,
]  # fmt: skip
ODD_NESTED = [[], {}, [1], {"a": 1}, ["x", None], [[]], {"valid_until": "2026-01-01"}]
STATE_SPELLINGS = [
    "CA", "ny", " tx\t", "Puerto Rico", "district of columbia", "ZZ", "CalifORNIA", "n/a",
    "D.C.", "Washington, D.C.", "tex.", "Mass.", "N.Y.", " New\tYork ,", "w. va.", "US-TX", "us-zz",
    "State of Utah", "State of UT", "Commonwealth of Virginia", "Wash.", "...", ".,", "Dakota",
    "Virgin Islands, U.S.", "Qu\u00e9bec", "t.x", "Penna",
]  # fmt: skip
BROKEN_LINES = [
    b"{", b"}", b"[]", b"[1]", b"5", b'"x"', b"null", b" true ", b"-0", b"NaN", b"Infinity",
    b'{"facility_id": "N", "x": NaN}', b'{"facility_id": "N", "x": [-infinity]}',
    b'{"facility_id": "N",}', b'{"facility_id": "N", "services": [1,\t]}', b"{} x",
    b'{"facility_id": "S", "x": "\\ud83c"}', b'{"facility_id": "S", "x": "\\ud83c\\udf00"}',
    b'{"facility_id": "C", "x": "\x01"}', b'\x01{"facility_id": "C"}',
    b'{"facility_id": "C"}\x01', b'{"facility_id": "C"}\x00', b"\\N", b"\x01", b"\x00",
    b'{"facility_id": "B", "x": "\xff"}', b"\xff\xfe", b'{"facility_id": "B\xe4"}',
    b'{"facility_id": "D", "x": ' + b"[" * 199 + b"]" * 199 + b"}",
    b'{"facility_id": "D", "x": ' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"facility_id": "D", "x": ' + b'{"a":' * 250 + b"1" + b"}" * 250 + b"}",
    b'{"facility_id": "D", "x": "' + b"[" * 300 + b'"}', b"[" * 5000, b"[" * 150,
    b'{"facility_id": "D", "x": [' + b"[]," * 300 + b"1]}",
    b'{"facility_id": 1e3}', b'{"facility_id": -0}', b'{"facility_id": 12.0}',
    b'{"facility_id": 123456789012345678}', b'{"facility_id": 1234567890123456789}',
    b'{"facility\\u005fid": "F1"}', b'{"FACILITY_ID": "F1"}', b"{'facility_id': 'F1'}",
    b'\xef\xbb\xbf{"facility_id": "F1"}', b'\x0b{"facility_id": "F1"}', b" \t ",
]  # fmt: skip
