"""What counts as JSON: strict RFC 8259, keys by their exact case, values that parsers break on."""

import pytest

from healthpipe.contract import MAX_DEPTH
from tests.conftest import AS_OF
from tests.support.edge_case_values import BROKEN_LINES
from tests.support.records import GONE, LATER, write_records
from tests.support.shapes import ONE, check_lines, ingest_file, landed_lines


def test_a_rewritten_record_keeps_its_numbers_and_the_order_of_its_keys(cli, tmp_path):
    record = b'{"z": 0.10, "a": 12345678901234567890, "m": -0.0, "e": 1E+2, "facility_id": "1",\n'
    record += b'  "accreditations": [{"valid_until": "2026-02-20"}]}'
    (tmp_path / "in.json").write_bytes(b"[" + record + b"]")

    out = cli("filter-expiring", "in.json", "--as-of", AS_OF, "-q", "-o", "-").out

    assert out.encode() == record.replace(b"\n  ", b"") + b"\n"


@pytest.mark.parametrize(
    "value",
    [
        b"1" * 9000, b'{"a":' + b"1" * 9000 + b"}", b"1e99999999999999999999",
        b'{"a":' * 3000 + b"-1e-99999999999999999999" + b"}" * 3000,
        b'{"a":' * 3000 + b"7" * 9000 + b"}" * 3000,
    ],
    ids=["digits", "digits in a record", "exponent", "deep exponent", "deep digits"],
)  # fmt: skip
def test_values_that_parsers_break_on_are_lines_like_others(tmp_path, value):
    content = b"[\n" + value + b",\n" + ONE + b"]"

    file = ingest_file(tmp_path, "in.json", content)

    assert landed_lines(file, content) == [value, ONE]


def test_arrays_are_unpacked_as_deep_as_json_may_nest(tmp_path):
    content = b"[" + ONE + b"," + b"[" * 5000 + b"]" * 5000 + b"]"

    file = ingest_file(tmp_path, "in.json", content)

    left = 5000 - (MAX_DEPTH - 1)
    assert landed_lines(file, content) == [ONE, b"[" * left + b"]" * left]


@pytest.mark.parametrize("line", BROKEN_LINES)
def test_a_broken_line_above_others_is_a_line(line):
    check_lines(line + b"\n" + ONE)


@pytest.mark.pitfall(14)
@pytest.mark.every_engine
def test_keys_are_the_same_only_in_the_same_case(result, tmp_path):
    both = {"FACILITY_ID": "no", "facility_name": "yes", "Facility_Name": "no", "Services": [1]}
    write_records(
        tmp_path / "in.jsonl",
        {"Facility_Id": "no", "facility_id": "F1", "location": {"State": "NV", "state": "CA"}}
        | {"accreditations": [{"Valid_Until": GONE, "valid_until": LATER}]}
        | both,
        {"Facility_ID": "F2"},
    )

    found = result("extract", "in.jsonl")

    assert found.rows == [["F1", "yes", "", "0", "2026-03-01"]]
    assert found.records["rejected"] == 1
    assert result("state-counts", "in.jsonl").rows == [["CA", "1", "1", "0", "1"]]
