"""Counts per state: no list multiplies or drops a facility."""

import datetime

import pytest

from tests.support.records import LATER, csv_rows, facility, write_records


@pytest.mark.pitfall(23, 24, 25)
@pytest.mark.every_engine
def test_lists_neither_multiply_nor_drop_facilities(result, tmp_path):
    lab = {"lab_name": "L", "certifications": ["CLIA", "CAP"]}
    full = {"services": ["a", "b", "c", "d"], "labs": [lab, lab], "employee_count": 100}
    write_records(
        tmp_path / "in.jsonl",
        facility("F1", "2026-03-01", "2027-03-01", "2028-03-01", **full),
        facility("F2", services=[], labs=[], employee_count=10),
        {"facility_id": "F3", "location": {"state": "CA"}, "employee_count": 1},
        facility("F4", state="NV", employee_count=7),
    )

    assert result("state-counts", "in.jsonl").rows == [
        ["CA", "1", "3", "111", "3"],
        ["NV", "0", "1", "7", "0"],
    ]
    assert result("extract", "in.jsonl").rows == [
        ["F1", "x", "100", "4", "2026-03-01"],
        ["F2", "x", "10", "0", ""],
        ["F3", "", "1", "0", ""],
        ["F4", "x", "7", "0", ""],
    ]


@pytest.mark.pitfall(31)
def test_more_than_a_hundred_states_and_folders_are_counted(published, tmp_path):
    for number in range(150):
        day = datetime.date(2025, 6, 1) + datetime.timedelta(days=number)
        write_records(
            tmp_path / "data" / "raw" / f"snapshot_date={day}" / "a.jsonl",
            facility(f"F{number}", LATER, state=f"s{number:03}", employee_count=number),
        )

    counts = csv_rows(published()["state-counts.csv"].read_text())

    assert counts == [[f"S{n:03}", "1", "1", f"{n}", "1"] for n in range(150)]
