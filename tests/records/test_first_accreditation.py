"""The first accreditation: the first of the list, or the earliest valid date of all."""

import pytest

from tests.support.records import facility, write_records


@pytest.mark.every_engine
def test_it_is_the_first_listed_or_the_earliest_valid_one(result, tmp_path):
    write_records(
        tmp_path / "in.jsonl",
        facility("F1", "2027-01-01", "2026-05-01", "2026-09-01"),
        facility("F2", "n/a", "2026-05-01"),
        facility("F3", "n/a"),
        facility("F4"),
        facility("F5", accreditations=[None, {"valid_until": "2026-05-01"}]),
    )

    def dates(*arguments):
        return [row[4] for row in result("extract", "in.jsonl", *arguments).rows]

    assert dates() == dates("--first-accreditation", "listed") == ["2027-01-01", "", "", "", ""]
    assert dates("--first-accreditation", "earliest") == [
        "2026-05-01",
        "2026-05-01",
        "",
        "",
        "2026-05-01",
    ]
