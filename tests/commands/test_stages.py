"""What the stage commands print and write, and where."""

import csv
import gzip
import io
import itertools
import json
from pathlib import Path

import duckdb
import pytest

from tests.conftest import AS_OF

STAGES = ("extract", "filter-expiring", "state-counts")
FORMATS = ("parquet", "csv", "ndjson", "json")
COLUMNS = {
    "extract": [
        "facility_id",
        "facility_name",
        "employee_count",
        "number_of_offered_services",
        "expiry_date_of_first_accreditation",
    ],
    "filter-expiring": ["facility_id", "facility_name", "state", "next_expiry", "record"],
    "state-counts": [
        "state",
        "accredited_facilities",
        "facilities",
        "employees",
        "accreditations",
    ],
}
NO_RECORD = b"not json\n"
# Each format of each stage; elsewhere each format once.
ELSEWHERE = (
    ("extract", "parquet"),
    ("extract", "csv"),
    ("filter-expiring", "ndjson"),
    ("state-counts", "json"),
)
RESULTS = [
    pytest.param(*pair, marks=[pytest.mark.every_engine] if pair in ELSEWHERE else [])
    for pair in itertools.product(STAGES, FORMATS)
]


def rows_of(stage: str, fmt: str, path: Path) -> int:
    """The rows of a result, read by something else than what wrote it."""
    if fmt == "parquet":
        with duckdb.connect() as connection:
            table = connection.execute("from read_parquet($1)", [str(path)])
            assert [column[0] for column in table.description] == COLUMNS[stage]
            return len(table.fetchall())
    if fmt == "csv":
        header, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
        assert header == COLUMNS[stage]
        return len(rows)
    if fmt == "ndjson":
        return len([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    document = json.loads(path.read_text(encoding="utf-8"))
    return len(document["rows"] if stage == "state-counts" else document)


@pytest.mark.every_engine
@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_writes_every_format(cli, examples, tmp_path, stage, fmt):
    output = tmp_path / f"result.{fmt}"

    outcome = cli(stage, "examples", "--as-of", AS_OF, "--format", fmt, "-o", output, "--json")

    assert outcome.code == 0
    found = outcome.document["output"]
    assert (found["path"], found["format"]) == (str(output), fmt)
    assert rows_of(stage, fmt, output) == found["rows"] > 0


@pytest.mark.parametrize(("stage", "fmt"), RESULTS)
def test_no_rows_are_a_file_of_that_format(cli, tmp_path, stage, fmt):
    output = tmp_path / "result"

    outcome = cli(stage, "-", "--format", fmt, "-o", output, stdin=NO_RECORD)

    assert outcome.code == 0
    assert rows_of(stage, fmt, output) == 0
    if fmt == "ndjson":
        assert output.read_bytes() == b""


@pytest.mark.parametrize(
    ("suffix", "fmt"),
    [(".parquet", "parquet"), (".csv", "csv"), (".jsonl", "ndjson"), (".json", "json")],
)
def test_the_suffix_decides_the_format(cli, examples, tmp_path, suffix, fmt):
    cli("state-counts", "examples", "-o", tmp_path / f"x{suffix}")

    assert rows_of("state-counts", fmt, tmp_path / f"x{suffix}") > 0


@pytest.mark.every_engine
@pytest.mark.parametrize("stage", STAGES)
def test_standard_output_is_the_data_alone(cli, examples, tmp_path, stage):
    cli(stage, "examples", "--as-of", AS_OF, "--format", "csv", "-o", tmp_path / "x.csv")

    outcome = cli(stage, "examples", "--as-of", AS_OF, "--format", "csv", "-o", "-")

    assert outcome.out.encode() == (tmp_path / "x.csv").read_bytes()
    assert "lines in" in outcome.err


@pytest.mark.every_engine
@pytest.mark.parametrize("stage", STAGES)
def test_standard_output_is_one_document_with_json(cli, rig, examples, stage):
    document = cli(stage, "examples", "--as-of", AS_OF, "--json").document

    assert document["schema_version"] == 1
    assert (document["command"], document["status"]) == (stage, "succeeded")
    assert (document["engine"], document["as_of"]) == (rig.engine.value, AS_OF)
    assert document["input"] == {"files": 6, "bytes": sizes(examples), "skipped": 0}
    assert document["records"] == {
        "lines": 73,
        "accepted": 70,
        "rejected": 3,
        "superseded": 2,
        "resolved": 0,
    }
    assert document["issues"] == {
        "accreditation_date_invalid": 1,
        "employee_count_invalid": 1,
        "facility_id_missing": 1,
        "facility_name_missing": 1,
        "not_json": 1,
        "not_object": 1,
        "state_missing": 1,
        "state_not_recognised": 1,
    }
    output = document["output"]
    files = output.get("files", [output])
    parts = [file["path"] for file in files if file["format"] == output["format"]]
    assert output["bytes"] == sum(rig.local(part).stat().st_size for part in parts)
    assert bool(document["queries"]) is rig.is_remote
    assert document["elapsed_s"] > 0


def sizes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.every_engine
def test_quiet_keeps_warnings_only(cli, examples, tmp_path):
    outcome = cli("extract", "examples", "--quiet")

    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.startswith("rejected: ")

    clean = tmp_path / "clean.jsonl"
    clean.write_text('{"facility_id": "F1", "facility_name": "x", "location": {"state": "CA"}}\n')
    outcome = cli("extract", clean, "--quiet")
    assert (outcome.out, outcome.err) == ("", "")


@pytest.mark.every_engine
def test_nothing_is_coloured_and_no_preview_is_shown_in_a_pipe(cli, examples):
    outcome = cli("filter-expiring", "examples", "--as-of", AS_OF)

    assert "\x1b" not in outcome.out + outcome.err
    assert "soonest" not in outcome.err


@pytest.mark.every_engine
def test_messages_are_json_lines_if_wanted(cli, examples):
    outcome = cli("extract", "examples", "--log-format", "json")

    levels = [json.loads(line)["level"] for line in outcome.err.splitlines()]
    assert levels == ["info", "warning", "info"]


@pytest.mark.every_engine
def test_an_existing_output_is_replaced_whole(cli, examples, tmp_path):
    output = tmp_path / "x.csv"
    output.write_text("old\n" * 100_000)
    before = output.stat().st_ino

    outcome = cli("state-counts", "examples", "--as-of", AS_OF, "-o", output)

    assert outcome.out == f"{output}\n"
    assert "old" not in output.read_text()
    assert output.stat().st_ino != before, "replaced by a rename, never written into"


@pytest.mark.every_engine
def test_every_expiring_line_is_an_input_line_byte_for_byte(cli, examples):
    outcome = cli("filter-expiring", "examples", "--as-of", AS_OF, "--months", "120", "-o", "-")

    given = {line for path in examples.rglob("*.*") for line in path.read_text().split("\n")}
    lines = outcome.out.removesuffix("\n").split("\n")
    assert len(lines) > 20
    assert set(lines) <= given


@pytest.mark.parametrize(
    ("stage", "fmt"),
    # The JSON of state-counts names its run.
    sorted(set(itertools.product(STAGES, FORMATS)) - {("state-counts", "json")}),
)
def test_the_same_input_gives_the_same_bytes(cli, examples, tmp_path, stage, fmt):
    for name in ("one", "two"):
        cli(stage, "examples", "--as-of", AS_OF, "--format", fmt, "-o", tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.every_engine
def test_of_the_same_line_twice_the_first_is_kept_in_its_place(cli, rig, tmp_path):
    lines = [
        f'{{"facility_id": "{name}", "accreditations": [{{"valid_until": "2026-03-01"}}]}}\n'
        for name in "ABCA"
    ]
    (tmp_path / "in.jsonl").write_text("".join(lines))

    outcome = cli("filter-expiring", "in.jsonl", "--as-of", AS_OF, "-o", "-")

    kept = "".join(lines[:3]).encode()
    assert rig.in_order(outcome.out.encode()) == rig.in_order(kept)


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
    landed = {name for name in names if name.startswith("landed/")}
    assert bool(landed) is rig.is_remote
    assert names - landed == {
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
