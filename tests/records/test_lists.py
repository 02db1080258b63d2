"""Lists of a record: what is no list, what in a list is no object, types of later lines."""

import duckdb
import pytest

from tests.conftest import AS_OF
from tests.support.records import LATER, facility, parquet_rows, write_records


@pytest.mark.pitfall(8)
@pytest.mark.every_engine
def test_what_is_no_list_where_one_belongs_is_an_empty_list_and_an_issue(result, tmp_path):
    for number, value in enumerate([None, 5, "[]", True, {"a": 1}]):
        lists = dict.fromkeys(("services", "labs", "accreditations"), value)
        write_records(tmp_path / "in" / f"{number}.jsonl", facility(f"F{number}") | lists)

    found = result("extract", "in")

    assert found.rows == [[f"F{number}", "x", "", "0", ""] for number in range(5)]
    assert found.records["accepted"] == 5
    assert found.issues == {"accreditations_invalid": 4, "labs_invalid": 4, "services_invalid": 4}
    assert result("state-counts", "in", "--accredited", "any").rows == [["CA", "0", "5", "0", "0"]]
    assert result("filter-expiring", "in", "--include-expired").rows == []


@pytest.mark.pitfall(8)
@pytest.mark.every_engine
def test_what_is_no_object_in_a_list_of_them_is_skipped(result, tmp_path):
    odd = [None, 5, "2026-03-01", [{"valid_until": LATER}]]
    record = facility("F1", accreditations=[*odd, {"valid_until": LATER}])
    write_records(tmp_path / "in.jsonl", record)

    found = result("filter-expiring", "in.jsonl", "--grain", "accreditation")

    assert found.rows == [["F1", "x", "CA", "", "", "2026-03-01", "14", "critical"]]
    assert found.issues == {"accreditation_invalid": 4}


@pytest.mark.pitfall(12)
@pytest.mark.every_engine
def test_types_do_not_hang_on_the_first_lines(cli, tmp_path):
    many = (facility(f"{number:06}", employee_count=5) for number in range(21_000))
    last = facility("last", "soon", employee_count="many", services="none")
    write_records(tmp_path / "in.jsonl", *many, last)

    cli("extract", "in.jsonl", "--as-of", AS_OF, "-o", "x.parquet")

    found = parquet_rows(tmp_path / "x.parquet")
    assert found[0] == ("000000", "x", 5, 0, None)
    assert found[20_999:] == [("020999", "x", 5, 0, None), ("last", "x", None, 0, None)]


COUNTED = {
    "no list": ({"accreditations": "NCQA"}, (0, 0, 0, 0)),
    "no key": ({}, (0, 0, 0, 0)),
    "empty": ({"accreditations": []}, (0, 0, 0, 0)),
    "dates": ({"accreditations": [{"valid_until": LATER}] * 3}, (3, 3, 3, 3)),
    "no objects": ({"accreditations": [None, 5, "x", [LATER]]}, (4, 0, 0, 0)),
    "no dates": ({"accreditations": [{}, {"valid_until": None}, facility("x")]}, (3, 3, 0, 0)),
    "blank": ({"accreditations": [{"valid_until": ""}, {"valid_until": " \t"}]}, (2, 2, 0, 0)),
    "wrong": (
        {"accreditations": [{"valid_until": v} for v in ("soon", 1.5, True, {}, [LATER])]},
        (5, 5, 5, 0),
    ),
    "all": (
        {"accreditations": [None, {}, {"valid_until": "soon"}, {"valid_until": LATER}]},
        (4, 3, 2, 1),
    ),
}  # fmt: skip


@pytest.mark.every_engine
def test_a_segment_counts_items_objects_and_dates_that_are_given_and_that_are_days(
    published, rig, tmp_path
):
    records = ({"facility_id": name, "x": "y"} | record for name, (record, _) in COUNTED.items())
    published(write_records(tmp_path / "in.jsonl", *records), "--max-issues", "100%")

    curated = rig.root.curated
    paths = [
        str(rig.local(f"{curated}/{name}"))
        for name in rig.names(curated)
        if not name.endswith(".json")
    ]
    with duckdb.connect() as connection:
        found = connection.execute(
            "select facility_id, number_of_items, number_of_objects, number_of_given_dates,"
            " number_of_dates from read_parquet($1)",
            [paths],
        ).fetchall()
    assert {name: tuple(counts) for name, *counts in found} == {
        name: counts for name, (_, counts) in COUNTED.items()
    }
