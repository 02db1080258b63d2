"""`runs retry`: a run that failed is resumed at the step that failed, or refused."""

from pathlib import Path

import pytest

from healthpipe.errors import ServiceFailed
from healthpipe.runs import request
from tests.support.published_runs import live

STAGES = {"Extract", "FilterExpiring", "StateCounts"}
FULL = ServiceFailed("the disk is full", "free space")


@pytest.mark.parametrize(
    ("failed", "again"),
    [
        ("Ingest", ["Ingest", "Curate"]),
        ("Curate", ["Curate"]),
        ("StateCounts", ["StateCounts"]),
        ("Audit", ["Audit"]),
        ("Publish", ["Audit", "Publish"]),
    ],
)
def test_a_retry_does_only_what_is_missing(cli, orchestrate, step_spy, tmp_path, failed, again):
    step_spy.failing[failed] = FULL
    assert orchestrate().code == 4
    assert live(tmp_path) is None
    step_spy.failing.clear()
    step_spy.names.clear()

    outcome = cli("runs", "retry", "--json")

    assert outcome.code == 0, outcome.err
    document = outcome.document
    assert live(tmp_path)["run_id"] == document["run_id"]
    # A branch that fails stops the others, which then have to be done again, too.
    not_again = [name for name in step_spy.names if name not in STAGES or name in again]
    assert not_again[: len(again)] == again
    if failed in ("Audit", "Publish"):
        assert not set(step_spy.names) & STAGES
    assert {step["status"] for step in document["steps"]} == {"succeeded"}
    tries = {step["name"]: step["attempt"] for step in document["steps"]}
    assert tries[failed] == 5, "one, three retries of the workflow, and this one"


def test_a_retry_of_a_run_that_succeeded_says_so(cli, orchestrate, step_spy):
    run = orchestrate("--json").document["run_id"]
    step_spy.names.clear()
    outcome = cli("runs", "retry", run)
    assert (outcome.code, outcome.out, step_spy.names) == (0, "", [])
    assert "has succeeded" in outcome.err


def rewritten(root):
    return sorted(path.name for path in root.glob("data/runs/*/landed/*.ndjson"))


def test_rewritten_files_stay_until_the_run_has_succeeded(cli, step_spy, tmp_path):
    Path("in.json").write_text('[{"facility_id": "A"}, {"facility_name": "no id"}]')
    Path("plain.jsonl").write_text('{"facility_id": "B"}\n')
    step_spy.failing["StateCounts"] = FULL
    arguments = ("in.json", "plain.jsonl", "--max-rejects", "90%", "--max-issues", "100%")
    assert cli("orchestrate", *arguments).code == 4
    assert len(rewritten(tmp_path)) == 1
    step_spy.failing.clear()

    outcome = cli("runs", "retry", "--json")

    assert outcome.code == 0, outcome.err
    assert rewritten(tmp_path) == []
    shown = cli("quarantine", "show", "--source", "in.json", "--limit", "1")
    assert (shown.code, "in.json\t1#2\t" in shown.out) == (0, True)
    again = cli("orchestrate", *arguments, "--force", "--json").document
    assert again["records"]["accepted"] == 2, "segments do not need them"


@pytest.fixture
def failed_run(orchestrate, step_spy):
    step_spy.failing["Extract"] = FULL
    run = orchestrate("--json")
    assert run.code == 4
    step_spy.failing.clear()


def refused(outcome):
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert "healthpipe orchestrate" in line
    return line


def test_a_retry_is_refused_when_an_input_changed(cli, failed_run, examples):
    next(iter(sorted(examples.rglob("*.jsonl")))).write_text('{"facility_id": "X"}\n')
    assert "changed since run" in refused(cli("runs", "retry"))


def test_a_retry_is_refused_when_an_input_is_gone(cli, failed_run, examples):
    next(iter(sorted(examples.rglob("*.jsonl")))).unlink()
    assert "changed since run" in refused(cli("runs", "retry"))


def test_files_that_arrived_since_belong_to_the_next_run(cli, failed_run, examples):
    (examples / "more.jsonl").write_text('{"facility_id": "X"}\n')
    assert cli("runs", "retry", "--json").document["records"]["lines"] == 73


@pytest.mark.parametrize("what", ["sql", "version"])
def test_a_retry_is_refused_when_the_code_changed(cli, failed_run, monkeypatch, what):
    changed = {**request.code_fingerprint(), what: "another"}
    monkeypatch.setattr("healthpipe.workflow.resume.code_fingerprint", lambda: changed)
    assert f"the {what} changed since run" in refused(cli("runs", "retry"))


def test_a_retry_is_refused_when_a_newer_run_is_live(cli, failed_run, orchestrate):
    (failed,) = [each["run_id"] for each in cli("runs", "list", "--json").document["runs"]]
    assert orchestrate().code == 0
    assert "became live since" in refused(cli("runs", "retry", failed))


def test_a_retry_of_a_stage_by_hand_is_refused(cli, examples):
    run = cli("extract", "examples", "--json").document["run_id"]
    outcome = cli("runs", "retry", run)
    assert outcome.code == 2
    assert "run that command again" in outcome.err


@pytest.mark.parametrize("run", ["20260101T000000Z-abcdef", "nonsense", "../raw", None])
def test_a_retry_of_a_run_that_is_not_there_is_refused(cli, run):
    outcome = cli("runs", "retry", *([run] if run else []))
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1


def test_a_gate_that_failed_is_passed_by_a_retry_that_accepts_the_drop(
    cli, orchestrate, examples, tmp_path
):
    assert orchestrate().code == 0
    before = live(tmp_path)
    for path in (examples / "2026-01-05").iterdir():
        path.unlink()
    assert orchestrate("--max-rejects", "50%").code == 3
    assert live(tmp_path) == before
    assert cli("runs", "retry").code == 3

    outcome = cli("runs", "retry", "--accept-drop", "--json")

    assert outcome.code == 0
    assert live(tmp_path)["generation"] == 2
    levels = {
        finding["gate"]: finding["level"] for finding in outcome.document["audit"]["findings"]
    }
    assert levels["facilities"] == "accepted"


def test_a_gate_is_accepted_for_one_call(cli, tmp_path):
    """Rejects and a missing state in all records: each call accepts what it names, and no more."""
    source = tmp_path / "in.jsonl"
    record = '{{"facility_id": "{0}", "facility_name": "N"}}\n'
    source.write_text("".join(map(record.format, range(5))) + "not json\n")

    first = cli("orchestrate", source, "--accept", "issues")
    assert first.code == 3
    assert "rejected lines 1 of 6" in first.err

    second = cli("runs", "retry", "--accept", "rejects")
    assert second.code == 3
    assert "state_missing: 5 of 5 records" in second.err
    assert "--accept issues" in second.err

    third = cli("runs", "retry", "--accept", "rejects", "--accept", "issues", "--json")
    assert third.code == 0
    accepted = [f["gate"] for f in third.document["audit"]["findings"] if f["level"] == "accepted"]
    assert accepted == ["rejects", "issues"]


@pytest.mark.parametrize("gate", ["accepted_records", "changes", "everything"])
def test_a_gate_that_cannot_be_accepted_is_refused(cli, gate):
    outcome = cli("runs", "retry", "--accept", gate)

    assert outcome.code == 2
    assert (
        f"--accept '{gate}' is no gate that can be accepted; give one of rejects, " in outcome.err
    )
