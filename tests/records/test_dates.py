"""A date is exactly YYYY-MM-DD and a real day; one bad date sets aside itself alone."""

import pytest

from healthpipe.contract import CONSTANTS
from tests.support.patterns import matches_in_duckdb, matches_in_python
from tests.support.records import facility, write_records

NO_DATES = [
    "soon", "x", "02/03/2026", "03-01-2026", "2026-03-01T00:00:00", "2026-03-01T23:59:59Z",
    "2026-03-01 00:00:00+14:00", "2026-03-01 or later", "2026-03-01x", " 2026-03-01", "20260301",
    "2026-3-1", "2026-02-29", "9999-99-99", 20260301, -1, 20260301.5, True, {}, ["2026-03-01"],
]  # fmt: skip
ABSENT_DATES = [None, "", "  ", " \t\r\n"]


@pytest.mark.pitfall(16, 17, 18)
@pytest.mark.every_engine
def test_what_is_no_date_is_never_valid_never_expired_and_never_due(result, tmp_path):
    write_records(
        tmp_path / "in.jsonl", *(facility(f"{n:02}", day) for n, day in enumerate(NO_DATES))
    )

    assert result("filter-expiring", "in.jsonl", "--include-expired", "--months", "120").rows == []
    assert result("state-counts", "in.jsonl").rows == [["CA", "0", "20", "0", "0"]]
    found = result("extract", "in.jsonl")
    assert found.rows == [[f"{n:02}", "x", "", "0", ""] for n in range(20)]
    assert found.issues == {"accreditation_date_invalid": 20}


@pytest.mark.every_engine
def test_an_accreditation_without_a_date_has_another_reason_than_one_with_a_wrong_date(
    result, tmp_path
):
    write_records(
        tmp_path / "in.jsonl",
        *(facility(f"{n}", day) for n, day in enumerate(ABSENT_DATES)),
        facility("no key", accreditations=[{}]),
        facility("both", None, "soon", "2026-03-01"),
    )

    found = result("extract", "in.jsonl")

    assert found.issues == {"accreditation_date_missing": 6, "accreditation_date_invalid": 1}


@pytest.mark.pitfall(15)
@pytest.mark.every_engine
def test_a_bad_date_sets_aside_itself_and_not_the_good_ones_beside_it(result, tmp_path):
    write_records(
        tmp_path / "in.jsonl",
        facility("F1", "n/a", "2026-02-20", "2026-02-30", "2026-03-01"),
        facility("F2", "2026-04-01"),
    )

    assert result("filter-expiring", "in.jsonl", "--grain", "accreditation").rows == [
        ["F1", "x", "CA", "", "A1", "2026-02-20", "5", "critical"],
        ["F1", "x", "CA", "", "A3", "2026-03-01", "14", "critical"],
        ["F2", "x", "CA", "", "A0", "2026-04-01", "45", "high"],
    ]


DAYS = ["2026-01-05", "0001-01-01", "0010-01-01", "0100-01-01", "1000-01-01", "9999-12-31"]
NOT_DAYS = [
    "", "0000-01-01", "20260105", "2026-1-05", "2026-01-5", " 2026-01-05", "2026-01-05 ",
    "2026-01-05\n", "\n2026-01-05", "x\n2026-01-05", "2026-01-05T00:00:00Z", "12026-01-01",
    "026-01-01", "-026-01-01", "2026/01/05", "2026-W01-1", "٢٠٢٦-01-05", "2026-01-05\x00",
]  # fmt: skip


@pytest.mark.parametrize("matches", [matches_in_python, matches_in_duckdb])
def test_a_calendar_day_is_yyyy_mm_dd_and_nothing_else(matches):
    assert [text for text in DAYS if not matches(CONSTANTS["calendar_day"], text)] == []
    assert [text for text in NOT_DAYS if matches(CONSTANTS["calendar_day"], text)] == []
