"""`extract`: what it reads and what its run leaves."""

import gzip
import json

import duckdb
import pytest

from tests.conftest import AS_OF
from tests.support.records import csv_rows, facility, write_records


@pytest.mark.every_engine
def test_standard_input_gzip_and_plain_give_the_same(cli, tmp_path):
    content = b'{"facility_id": "F1", "location": {"state": "CA"}}\r\n{"facility_id": "F2"}\r'
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(content))
    (tmp_path / "gzip-without-suffix.jsonl").write_bytes(gzip.compress(content))
    (tmp_path / "plain.jsonl.gz").write_bytes(content)

    results = {
        cli("extract", name, "--format", "csv", "-o", "-").out
        for name in ("a.jsonl", "b.jsonl.gz", "gzip-without-suffix.jsonl", "plain.jsonl.gz")
    }
    for data in (content, gzip.compress(content)):
        results.add(cli("extract", "-", "--format", "csv", "-o", "-", stdin=data).out)

    assert len(results) == 1


@pytest.mark.every_engine
def test_a_run_leaves_its_record_manifest_rejects_and_issues(cli, rig, examples, tmp_path):
    document = cli("extract", "examples", "-o", tmp_path / "x.csv", "--json").document

    names = rig.names(rig.root.run(document["run_id"]))
    assert names == {
        "run.json",
        "inputs.json",
        "balance.json",
        "rejects.parquet",
        "issues.parquet",
    }
    record = json.loads(rig.kept(document["run_id"], "run.json").read_text())
    assert (record["status"], record["command"]) == ("succeeded", "extract")
    assert record["records"] == document["records"]
    manifest = json.loads(rig.kept(document["run_id"], "inputs.json").read_text())
    assert [file["source"] for file in manifest["files"]] == [
        "2026-01-05/east.jsonl",
        "2026-01-05/midwest.ndjson",
        "2026-01-05/mountain.jsonl",
        "2026-01-05/south.jsonl",
        "2026-01-05/west.jsonl",
        "2026-02-02/changes.jsonl",
    ]


@pytest.mark.pitfall(57)
@pytest.mark.every_engine
def test_values_of_rejected_lines_stay_in_the_quarantine(cli, rig, tmp_path):
    secret = '{"facility_id": "", "facility_name": "SECRET", "employee_count": "SECRET"}\nSECRET\n'
    (tmp_path / "in.jsonl").write_text(secret)

    outcome = cli("extract", "in.jsonl", "--json", "--debug")

    run = outcome.document["run_id"]
    assert "SECRET" not in outcome.out + outcome.err
    for name in ("run.json", "inputs.json"):
        assert "SECRET" not in rig.kept(run, name).read_text()
    with duckdb.connect() as connection:
        kept = connection.execute(
            "select line from read_parquet($1) order by line",
            [str(rig.kept(run, "rejects.parquet"))],
        ).fetchall()
    assert kept == sorted((line.encode(),) for line in secret.splitlines())


@pytest.mark.every_engine
def test_files_in_a_folder_with_other_names_are_listed_as_skipped(cli, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"facility_id": "F1"}\n')
    (tmp_path / "in" / "notes.md").write_text("hello")

    outcome = cli("extract", "in", "--json")

    assert outcome.document["input"] == {"files": 1, "bytes": 22, "skipped": 1}
    assert "in/notes.md" in outcome.err


@pytest.mark.every_engine
def test_top_are_those_that_lapse_first_from_today_on(cli, tmp_path):
    dates = {"F1": "2026-04-01", "F2": "2026-02-14", "F3": "2026-02-15", "F4": "2026-04-01"}
    write_records(tmp_path / "in.jsonl", *(facility(name, day) for name, day in dates.items()))

    out = cli(
        "extract", "in.jsonl", "--as-of", AS_OF, "--top", "2", "--format", "csv", "-o", "-"
    ).out

    assert [row[0] for row in csv_rows(out)] == ["F3", "F1"]
