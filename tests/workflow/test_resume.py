"""A run that failed is gone on with, or refused; a run that would change nothing is not run."""

import json

import pytest

from healthpipe.errors import ServiceFailed
from healthpipe.runs import fingerprint
from healthpipe.storage.layout import Root
from tests.conftest import AS_OF

STAGES = {"Extract", "FilterExpiring", "StateCounts"}
FULL = ServiceFailed("the disk is full", "free space")
NEXT_DAY = "2026-02-16"


def live(tmp_path):
    path = tmp_path / "data" / "production" / "current.json"
    return json.loads(path.read_text()) if path.exists() else None


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
    changed = {**fingerprint.code_fingerprint(), what: "another"}
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


def test_all_equal_to_the_live_run_is_nothing_to_do(orchestrate, step_spy, tmp_path):
    first = orchestrate("--json").document
    step_spy.names.clear()
    before = live(tmp_path)

    outcome = orchestrate("--json")

    assert (outcome.code, outcome.document["status"]) == (0, "unchanged")
    assert "nothing to do" in outcome.err
    assert step_spy.names == ["Ingest", "AlertExpiring", "NotifySuccess", "Finish"]
    assert live(tmp_path) == before == outcome.document["production"]
    assert outcome.document["records"] == first["records"]
    assert orchestrate().out == "".join(f"data/{file['path']}\n" for file in before["files"])
    assert orchestrate("--quiet").err == ""


@pytest.mark.parametrize(
    "change",
    ["a new day", "another option", "a new file", "a changed file", "force", "sql", "a rollback"],
)
def test_anything_else_is_a_new_run(cli, orchestrate, examples, monkeypatch, tmp_path, change):
    orchestrate(as_of="2026-02-14")
    orchestrate()
    arguments, as_of = [], AS_OF
    match change:
        case "a new day":
            as_of = NEXT_DAY
        case "another option":
            arguments = ["--days", "30"]
        case "a new file":
            (examples / "more.jsonl").write_text('{"facility_id": "X"}\n')
        case "a changed file":
            with (examples / "2026-02-02" / "changes.jsonl").open("a") as file:
                file.write('{"facility_id": "X"}\n')
        case "force":
            arguments = ["--force"]
        case "sql":
            changed = {**fingerprint.code_fingerprint(), "sql": "another"}
            monkeypatch.setattr(fingerprint, "code_fingerprint", lambda: changed)
        case "a rollback":
            assert cli("runs", "rollback").code == 0
    generation = live(tmp_path)["generation"]

    outcome = orchestrate(*arguments, "--json", as_of=as_of)

    assert outcome.document["status"] == "succeeded"
    assert live(tmp_path)["generation"] == generation + 1


def test_standard_input_is_never_the_same_twice(cli):
    for _ in range(2):
        outcome = cli("orchestrate", "-", "--json", stdin=b'{"facility_id": "X"}\n')
        assert outcome.document["status"] == "succeeded"


def test_what_keeps_too_many_published_runs_is_removed(orchestrate, tmp_path):
    for _ in range(4):
        assert orchestrate("--force", "--keep", "2").code == 0
    folders = [path for path in (tmp_path / "data" / "production").iterdir() if path.is_dir()]
    assert len(folders) == 2
    assert live(tmp_path)["run_id"] in {path.name for path in folders}


def test_the_lock_is_free_after_every_end(orchestrate, step_spy, tmp_path):
    from healthpipe.runs.locks import RootLock

    for failing in ([], ["Ingest"], ["Publish"], ["Cleanup"], ["Finish"], ["NotifyFailure"]):
        step_spy.failing.update(dict.fromkeys(failing, FULL))
        orchestrate("--force")
        step_spy.failing.clear()
        assert RootLock.of(Root("data")).holder() is None


def test_where_the_pointer_is_gone_nothing_is_published_over_it(orchestrate, tmp_path):
    assert orchestrate().code == 0
    (tmp_path / "data" / "production").rename(tmp_path / "unmounted")

    outcome = orchestrate()

    assert outcome.code == 3
    assert "is gone, though runs were published" in outcome.err
    assert live(tmp_path) is None
    assert orchestrate("--accept-drop").code == 0
    assert live(tmp_path)["generation"] == 2
