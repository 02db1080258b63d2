"""Accredited: has an accreditation valid on the as-of date, or any at all."""

import pytest

from tests.support.records import GONE, LATER, facility, write_records

ON_THE_DAY = "2026-02-15"


@pytest.mark.every_engine
def test_it_needs_an_accreditation_that_is_valid_on_the_day(result, tmp_path):
    write_records(
        tmp_path / "in.jsonl",
        facility("F1", GONE, state="CA"),
        facility("F2", GONE, ON_THE_DAY, state="NV"),
        facility("F3", "n/a", state="OR"),
        facility("F4", LATER, LATER, state="TX"),
        facility("F5", state="WA"),
    )

    def accredited(*arguments):
        rows = result("state-counts", "in.jsonl", *arguments).rows
        return {row[0]: (row[1], row[4]) for row in rows}

    none, one, two = ("0", "0"), ("1", "1"), ("1", "2")
    assert accredited() == {"CA": none, "NV": one, "OR": none, "TX": two, "WA": none}
    assert accredited("--accredited", "any") == {
        "CA": one,
        "NV": two,
        "OR": one,
        "TX": two,
        "WA": none,
    }


@pytest.mark.every_engine
def test_facilities_without_accreditations_stay_in_extract_unless_left_out(result, tmp_path):
    write_records(
        tmp_path / "in.jsonl", facility("F1", LATER), facility("F2"), facility("F3", GONE)
    )

    assert result("extract", "in.jsonl").first_column == ["F1", "F2", "F3"]
    assert result("extract", "in.jsonl", "--only-accredited").first_column == ["F1"]
    assert result(
        "extract", "in.jsonl", "--only-accredited", "--accredited", "any"
    ).first_column == ["F1", "F3"]
