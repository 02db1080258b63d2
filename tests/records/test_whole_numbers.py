"""A whole number has 1 to 18 digits; any other value is absent."""

import pytest

from healthpipe.contract import CONSTANTS
from tests.support.patterns import matches_in_duckdb, matches_in_python
from tests.support.records import facility, write_records


@pytest.mark.pitfall(16)
@pytest.mark.every_engine
def test_what_is_no_number_where_one_belongs_fails_nothing(result, tmp_path):
    counts = ["many", "12.5", 12.5, "-3", -3, "1,200", "", None, [5], 10**18, "9" * 19, " 12 ", 7]
    write_records(
        tmp_path / "in.jsonl",
        *(facility(f"{n:02}", employee_count=count) for n, count in enumerate(counts)),
    )

    assert [row[2] for row in result("extract", "in.jsonl").rows] == [""] * 11 + ["12", "7"]
    assert result("state-counts", "in.jsonl").rows == [["CA", "0", "13", "19", "0"]]


ODD_IDS = ["12345.5", "12345.0", "1e3", "-1", "-0", "1234567890123456789", "1" * 25, "1e400"]
NO_IDS = ["null", '""', "{}", "[1.5]", "[]", '" "', '"n/a"']
IDS = ['"12345.0"', "123456789012345678", "0", "true", '"1e3"']


@pytest.mark.every_engine
def test_an_id_that_is_an_odd_number_has_another_reason_than_one_that_is_missing(result, tmp_path):
    lines = [f'{{"facility_id": {value}, "facility_name": "x"}}' for value in ODD_IDS + NO_IDS]
    good = [f'{{"facility_id": {value}, "facility_name": "x"}}' for value in IDS]
    write_records(tmp_path / "in.jsonl", *lines, *good)

    found = result("extract", "in.jsonl", "--rule", "state_missing=off")

    assert found.first_column == ["0", "12345.0", "123456789012345678", "1e3", "true"]
    assert found.issues == {
        "facility_id_invalid": len(ODD_IDS),
        "facility_id_missing": len(NO_IDS),
    }


NUMBERS = ["0", "7", "007", "123456789012345678", "000000000000000000"]
NO_NUMBERS = [
    "", " 7", "7 ", "7\n", "-1", "+1", "12.5", "1e3", "1_000", "1234567890123456789", "٢", "7\n7",
    "0x1", "½",
]  # fmt: skip


@pytest.mark.parametrize("matches", [matches_in_python, matches_in_duckdb])
def test_a_whole_number_is_of_1_to_18_digits_and_nothing_else(matches):
    assert [text for text in NUMBERS if not matches(CONSTANTS["whole_number"], text)] == []
    assert [text for text in NO_NUMBERS if matches(CONSTANTS["whole_number"], text)] == []
