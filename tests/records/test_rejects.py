"""What is rejected keeps its bytes and all its reasons; a whole file is one line."""

import duckdb
import pytest

from tests.support.records import facility, write_records
from tests.support.shapes import ONE, TWO


@pytest.mark.pitfall(4)
@pytest.mark.sample
@pytest.mark.every_engine
def test_a_reject_keeps_its_bytes_and_all_its_reasons(result, tmp_path):
    line = b'\t{"employee_count":1e3, "services":"\xc3\xa9", "facility_name":"" }  '
    write_records(tmp_path / "a" / "in.jsonl", facility("F1"), line + b"\r")

    ((source, reasons, kept, _),) = result("extract", "a", "--strict").rejects

    assert (source, kept) == ("in.jsonl", line)
    assert sorted(reasons) == [
        "employee_count_invalid",
        "facility_id_missing",
        "facility_name_missing",
        "services_invalid",
        "state_missing",
    ]


def test_a_file_rejected_whole_is_one_line_and_the_run_goes_on(cli, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(b"[" + ONE + b"," + TWO)
    (tmp_path / "in" / "b.json").write_bytes(TWO)

    document = cli("extract", "in", "--json").document

    assert document["records"]["lines"] == 2
    assert (document["records"]["accepted"], document["records"]["rejected"]) == (1, 1)
    run = tmp_path / "data" / "runs" / document["run_id"]
    with duckdb.connect() as connection:
        rejects = connection.execute(f"from '{run}/rejects.parquet'").fetchall()
    assert rejects == [("a.json", ["file_not_json"], None, None)]
