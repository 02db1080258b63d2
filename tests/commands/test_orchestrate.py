"""`orchestrate`: all results published together, or none."""

import hashlib
import io
import json
import os
from pathlib import Path

import pytest

from healthpipe.errors import AlertNotSent
from healthpipe.stages import segment_writer
from tests.conftest import AS_OF


def test_it_prints_the_published_paths(orchestrate, tmp_path):
    outcome = orchestrate()

    paths = outcome.out.splitlines()
    assert [Path(path).name for path in paths] == [
        "extract.parquet",
        "expiring.ndjson",
        "state-counts.csv",
        "state-counts.json",
    ]
    assert all((tmp_path / path).is_file() for path in paths)


def test_the_pointer_describes_the_live_run(orchestrate, pointer, tmp_path):
    document = orchestrate("--json").document

    live = json.loads(pointer.read_text())
    assert live == document["production"]
    assert live["schema_version"] == 1
    assert (live["run_id"], live["as_of"]) == (document["run_id"], AS_OF)
    assert (live["generation"], len(live["nonce"])) == (1, 32)
    for file in live["files"]:
        content = (tmp_path / "data" / file["path"]).read_bytes()
        assert file["path"].startswith(f"production/{live['run_id']}/")
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_document_says_what_each_step_did(orchestrate):
    document = orchestrate("--json").document

    names = [step["name"] for step in document["steps"]]
    assert (names[:2], names[5:]) == (
        ["Ingest", "Curate"],
        ["Audit", "Publish", "AlertExpiring", "NotifySuccess", "Finish"],
    )
    assert set(names[2:5]) == {"Extract", "FilterExpiring", "StateCounts"}
    assert {step["status"] for step in document["steps"]} == {"succeeded"}
    assert document["records"]["lines"] == 73


def test_it_publishes_the_same_bytes_as_the_stages_by_hand(orchestrate, cli, tmp_path):
    published = {Path(path).name: path for path in orchestrate().out.splitlines()}

    for stage, name in {
        "extract": "extract.parquet",
        "filter-expiring": "expiring.ndjson",
        "state-counts": "state-counts.csv",
    }.items():
        by_hand = cli(stage, "examples", "--as-of", AS_OF).out.strip()
        if name != "extract.parquet":
            assert Path(by_hand).read_bytes() == Path(published[name]).read_bytes()
        assert Path(by_hand).name == name


def test_the_generation_grows_and_published_copies_stay(orchestrate, pointer, tmp_path):
    first = orchestrate("--json").document["production"]
    second = orchestrate("--force", "--json").document["production"]

    assert (first["generation"], second["generation"]) == (1, 2)
    assert first["nonce"] != second["nonce"]
    assert json.loads(pointer.read_text()) == second
    assert all((tmp_path / "data" / file["path"]).is_file() for file in first["files"])


def test_only_new_files_are_curated_again(orchestrate, tmp_path, examples):
    orchestrate()
    (examples / "2026-02-02" / "more.jsonl").write_text('{"facility_id": "ZZ-1"}\n')

    document = orchestrate("--json").document

    segments = sorted(tmp_path.glob("data/curated/*/segment.json"))
    held = [len(json.loads(path.read_text())["files"]) for path in segments]
    assert sorted(held) == [1, 6]
    assert document["records"]["lines"] == 74


def test_a_changed_file_is_read_again_and_its_old_rows_are_gone(orchestrate, examples):
    orchestrate()
    (examples / "2026-02-02" / "changes.jsonl").write_text('{"facility_id": "ZZ-1"}\n')

    assert orchestrate("--json").document["records"]["lines"] == 72


def test_a_file_that_is_gone_is_not_remembered(orchestrate, examples):
    orchestrate()
    (examples / "2026-02-02" / "changes.jsonl").unlink()

    document = orchestrate("--json").document

    assert document["records"] == {
        "lines": 71,
        "accepted": 68,
        "rejected": 3,
        "superseded": 0,
        "resolved": 0,
    }


@pytest.mark.pitfall(42)
@pytest.mark.parametrize(
    "step",
    ["stages.compute.account", "stages.compute.Writer", "workflow.steps.release.publish_outputs"],
)
def test_a_failure_at_any_step_leaves_production_as_it_was(
    orchestrate, pointer, tmp_path, monkeypatch, step
):
    orchestrate()
    before = pointer.read_bytes()

    def fail(*_, **__):
        raise KeyError("broken")

    monkeypatch.setattr(f"healthpipe.{step}", fail)
    outcome = orchestrate("--force")

    assert outcome.code == 1
    assert outcome.out == ""
    assert pointer.read_bytes() == before
    record = json.loads(max(tmp_path.glob("data/runs/*/run.json")).read_text())
    records = [json.loads(path.read_text()) for path in tmp_path.glob("data/runs/*/run.json")]
    (record,) = [record for record in records if record["status"] != "succeeded"]
    assert record["status"] == "failed"
    assert [s["name"] for s in record["steps"]][-2:] == ["Cleanup", "NotifyFailure"]
    assert not list(tmp_path.glob("data/runs/*/.attempt"))


def test_the_default_source_is_raw(cli, tmp_path):
    cli("generate-data", "--n", "50")

    assert cli("orchestrate", "--json").document["records"]["lines"] == 50


def test_a_root_given_in_the_environment_is_used(cli, examples, tmp_path, monkeypatch):
    monkeypatch.setenv("HEALTHPIPE_ROOT", str(tmp_path / "elsewhere"))

    cli("orchestrate", "examples")

    assert (tmp_path / "elsewhere" / "production" / "current.json").is_file()


def test_a_run_that_finds_nothing_to_do_tells_what_could_not_be_told_before(
    orchestrate, monkeypatch
):
    def refuse(*_):
        raise AlertNotSent("nobody listens", "try later")

    with monkeypatch.context() as patched:
        patched.setattr("healthpipe.alerts.channels.ConsoleChannel.send", refuse)
        untold = orchestrate()
    told, again = orchestrate("--json"), orchestrate("--json")

    assert untold.code == 0
    assert "accreditations due" not in untold.err
    assert (told.document["status"], again.document["status"]) == ("unchanged", "unchanged")
    assert "accreditations due" in told.err
    assert "accreditations due" not in again.err


def test_a_run_that_finds_nothing_to_do_ends_a_failure_and_announces_no_success(
    orchestrate, examples
):
    orchestrate()
    (examples / "bad.json").write_text("{")
    failed = orchestrate()
    (examples / "bad.json").unlink()
    unchanged = orchestrate("--notify-success")

    assert (failed.code, unchanged.code) == (3, 0)
    assert "nothing to do" in unchanged.err
    assert "recovered" in unchanged.err
    assert "healthpipe: run succeeded" not in unchanged.err


def test_a_manifest_that_is_made_anew_loses_no_rows(cli, tmp_path, monkeypatch):
    old, new = tmp_path / "in" / "a.jsonl", tmp_path / "in" / "b.jsonl"
    old.parent.mkdir()
    old.write_text("".join(f'{{"facility_id": "A{number}"}}\n' for number in range(50)))
    cli("orchestrate", "in", "--max-issues", "100%")
    new.write_text("".join(f'{{"facility_id": "B{number}"}}\n' for number in range(60)))
    real = segment_writer.describe_segment

    def touch_the_old_one(*given):
        if not (tmp_path / "touched").exists():
            (tmp_path / "touched").touch()
            os.utime(old, (1, 1))
        return real(*given)

    monkeypatch.setattr(segment_writer, "describe_segment", touch_the_old_one)

    document = cli("orchestrate", "in", "--max-issues", "100%", "--json").document

    assert (document["records"]["lines"], document["records"]["superseded"]) == (110, 0)
    (extract,) = [f for f in document["production"]["files"] if f["stage"] == "extract"]
    assert extract["rows"] == 110


def test_half_of_standard_input_is_never_taken_for_the_whole(cli, tmp_path, monkeypatch):
    class Breaking(io.BytesIO):
        def read(self, *_):
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(30)

    content = b"".join(b'{"facility_id": "F%d"}\n' % number for number in range(9))
    monkeypatch.setattr(io, "BytesIO", Breaking)
    assert cli("orchestrate", "-", stdin=content).code == 4
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    outcome = cli("runs", "retry", stdin=content[100:])

    assert outcome.code == 2
    assert "standard input cannot be read again" in outcome.err
    assert not (tmp_path / "data" / "production").exists()
