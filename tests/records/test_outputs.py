"""Files of results: whole or not there, without rows of yesterday, valid under their suffix."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest

from tests.conftest import AS_OF, tree
from tests.support.records import LATER, as_line, csv_rows, facility, parquet_rows, write_records


@pytest.mark.pitfall(41, 48)
def test_a_failing_run_leaves_the_output_of_the_last_one(cli, tmp_path):
    write_records(tmp_path / "in.jsonl", facility("F1", LATER))
    cli("filter-expiring", "in.jsonl", "--as-of", AS_OF, "-o", "out.ndjson")
    before = (tmp_path / "out.ndjson").read_bytes()
    (tmp_path / "in.jsonl").unlink()

    outcome = cli("filter-expiring", "in.jsonl", "--as-of", AS_OF, "-o", "out.ndjson")

    assert (outcome.code, outcome.out) == (2, "")
    assert (tmp_path / "out.ndjson").read_bytes() == before


@pytest.mark.pitfall(51)
@pytest.mark.parametrize(
    "call",
    [
        ("filter-expiring", "-o", "out.ndjson"),
        ("filter-expiring",),
        pytest.param(("orchestrate",), marks=pytest.mark.slow),  # it tries for a while
    ],
)
def test_what_cannot_be_written_whole_is_not_there_under_its_name(tmp_path, call):
    """The system refuses every byte after the first 200,000 of a file."""
    write_records(tmp_path / "in.jsonl", *(facility(f"F{n}", LATER) for n in range(5000)))
    (tmp_path / "out.ndjson").write_text("yesterday\n")

    def keep_files_small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    command = [sys.executable, "-m", "healthpipe", *call, "in.jsonl", "--as-of", AS_OF]
    outcome = subprocess.run(
        command,
        cwd=tmp_path,
        preexec_fn=keep_files_small,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (outcome.returncode, outcome.stdout) == (4, "")
    assert (tmp_path / "out.ndjson").read_text() == "yesterday\n"
    left = {Path(name).name for name in tree(tmp_path)}
    assert not {name for name in left if name.startswith(("expiring", ".tmp", ".attempt"))}
    assert "current.json" not in left


@pytest.mark.pitfall(49)
@pytest.mark.every_engine
@pytest.mark.parametrize("fmt", ["parquet", "json"])
def test_rows_of_yesterday_do_not_stay_beside_those_of_today(cli, tmp_path, fmt):
    output = tmp_path / f"x.{fmt}"
    for names in (["F1", "F2", "F3"], ["F9"]):
        write_records(tmp_path / "in.jsonl", *(facility(name) for name in names))
        cli("extract", "in.jsonl", "--as-of", AS_OF, "-o", output)

    with duckdb.connect() as connection:
        found = connection.execute(
            f"select facility_id from read_{fmt}($1)", [str(output)]
        ).fetchall()
    assert found == [("F9",)]


@pytest.mark.pitfall(49)
@pytest.mark.every_engine
def test_published_results_hold_the_rows_of_their_run_alone(published, tmp_path):
    write_records(tmp_path / "in.jsonl", facility("F1", LATER), facility("F2", LATER, state="NV"))
    published("in.jsonl")
    write_records(tmp_path / "in.jsonl", today := facility("F3", LATER, state="TX"))

    files = published("in.jsonl", "--accept-drop")

    assert [row[0] for row in parquet_rows(files["extract.parquet"])] == ["F3"]
    assert files["expiring.ndjson"].read_bytes() == as_line(today) + b"\n"
    assert csv_rows(files["state-counts.csv"].read_text()) == [["TX", "1", "1", "0", "1"]]


@pytest.mark.pitfall(50)
@pytest.mark.every_engine
def test_results_without_rows_are_published_as_files_of_their_format(published, tmp_path):
    write_records(tmp_path / "in.jsonl", facility("F1", LATER, snapshot_date="2026-01-05"))

    files = published("in.jsonl", "--snapshot", "2025-12-31")

    table = pyarrow.parquet.read_table(files["extract.parquet"])
    assert (table.num_rows, table.column_names) == (
        0,
        [
            "facility_id",
            "facility_name",
            "employee_count",
            "number_of_offered_services",
            "expiry_date_of_first_accreditation",
        ],
    )
    assert files["expiring.ndjson"].read_bytes() == b""
    assert files["state-counts.csv"].read_bytes() == (
        b"state,accredited_facilities,facilities,employees,accreditations\r\n"
    )
    assert json.loads(files["state-counts.json"].read_bytes())["rows"] == []


@pytest.mark.pitfall(50)
@pytest.mark.every_engine
def test_a_result_without_rows_is_neither_a_blank_line_nor_a_row_of_nulls(cli, tmp_path):
    write_records(tmp_path / "in.jsonl", facility("F1"))
    call = ("filter-expiring", "in.jsonl", "--as-of", AS_OF, "--grain", "accreditation", "-o")

    assert cli(*call, "x.csv").code == 0
    assert (tmp_path / "x.csv").read_bytes() == (
        b"facility_id,facility_name,state,accreditation_body,accreditation_id,valid_until,"
        b"days_until_expiry,tier\r\n"
    )
    assert cli(*call, "x.json").code == 0
    assert json.loads((tmp_path / "x.json").read_bytes()) == []
    assert cli(*call, "x.parquet").code == 0
    table = pyarrow.parquet.read_table(tmp_path / "x.parquet")
    assert table.shape == (0, 8)
    assert [str(table.schema.field(name).type) for name in ("facility_id", "valid_until")] == [
        "string",
        "date32[day]",
    ]


@pytest.mark.pitfall(54)
@pytest.mark.parametrize("more", [(), ("--annotate",)], ids=["as it came", "annotated"])
def test_a_file_is_what_its_suffix_promises(cli, tmp_path, more):
    """Whatever text is in it: quotes, commas, escaped and odd line ends."""
    name = 'a "b", \\ \n c\u2028d\x85e'
    given = [facility(f"F{n}", LATER, facility_name=name) for n in range(3)]
    write_records(tmp_path / "in.jsonl", *given)

    def written(suffix):
        call = ("filter-expiring", "in.jsonl", "--as-of", AS_OF, *more, "-o", f"x{suffix}")
        assert cli(*call).code == 0
        return tmp_path / f"x{suffix}"

    added = {"expiring"} if more else set()
    lines = written(".ndjson").read_bytes().removesuffix(b"\n").split(b"\n")
    array = json.loads(written(".json").read_bytes())
    table = pyarrow.parquet.read_table(written(".parquet")).to_pylist()
    sheet = csv_rows(written(".csv").read_bytes().decode())
    for records in (
        [json.loads(line) for line in lines],
        array,
        [json.loads(row["record"]) for row in table],
        [json.loads(row[-1]) for row in sheet],
    ):
        assert [set(record) - set(given[0]) for record in records] == [added] * 3
        assert [{key: record[key] for key in given[0]} for record in records] == given
    assert [row["facility_name"] for row in table] == [row[1] for row in sheet] == [name] * 3
