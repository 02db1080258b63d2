"""What all stages have in common: where a result goes, in which format, and what is said."""

import itertools
import json
from pathlib import Path

import pytest

from tests.conftest import AS_OF
from tests.support.results import rows_of

STAGES = ("extract", "filter-expiring", "state-counts")
FORMATS = ("parquet", "csv", "ndjson", "json")
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

    assert outcome.code == 3  # its only line is rejected
    assert rows_of(stage, fmt, output) == 0
    if fmt == "ndjson":
        assert output.read_bytes() == b""


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


@pytest.mark.parametrize(
    ("stage", "fmt"),
    # The JSON of state-counts names its run.
    sorted(set(itertools.product(STAGES, FORMATS)) - {("state-counts", "json")}),
)
def test_the_same_input_gives_the_same_bytes(cli, examples, tmp_path, stage, fmt):
    for name in ("one", "two"):
        cli(stage, "examples", "--as-of", AS_OF, "--format", fmt, "-o", tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_a_killed_process_left_in_state_is_removed(cli, examples, tmp_path):
    left = tmp_path / "data" / "state" / "history" / ".tmp-1"
    left.parent.mkdir(parents=True)
    left.write_text("half")

    assert cli("extract", "examples").code == 0
    assert not left.exists()
