"""`runs list` and `runs show`, for a person and for a script."""

import json

import pytest

from tests.conftest import AS_OF


def test_the_list_has_a_line_for_each_run_of_the_workflow(cli, orchestrate, failed):
    cli("extract", "examples", "--as-of", AS_OF)

    rows = [line.split("\t") for line in cli("runs", "list").out.splitlines()]
    document = cli("runs", "list", "--json").document

    assert {row[1] for row in rows} == {"succeeded", "failed at Curate"}
    assert [row[0] for row in rows] == [each["run_id"] for each in document["runs"]]
    (good,) = [row for row in rows if row[0] == failed]
    assert (good[2], good[4:6]) == (AS_OF, ["73", "3"])
    every = [line.split("\t")[6] for line in cli("runs", "list", "--all").out.splitlines()]
    assert sorted(every) == ["extract", "orchestrate", "orchestrate"]
    assert len(cli("runs", "list", "--limit", "1").out.splitlines()) == 1


def test_a_root_without_runs_has_an_empty_list(cli, tmp_path):
    (tmp_path / "data").mkdir()
    outcome = cli("runs", "list")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert cli("runs", "list", "--json").document["runs"] == []
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("command", ["list", "show", "retry", "rollback", "prune"])
def test_a_root_that_is_not_there_is_refused(cli, tmp_path, command):
    outcome = cli("runs", command, "--root", "dta")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "healthpipe: the root dta is not there; give --root as the runs were given it\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_shown_with_its_steps_gates_and_alerts(cli, failed):
    outcome = cli("runs", "show", failed)
    told = [line.split("\t")[0] for line in outcome.out.splitlines()]
    assert told[:2] == ["run", "status"]
    # Eleven gates, and a warning of each of five rules.
    assert [told.count(name) for name in ("gate", "step", "published")] == [16, 10, 1]
    assert cli("runs", "show", failed, "--json").document["run_id"] == failed


def test_a_failed_run_is_shown_with_its_error_and_what_to_do(cli, failed):
    (run,) = [
        each["run_id"]
        for each in cli("runs", "list", "--json").document["runs"]
        if each["status"] == "failed"
    ]
    out = cli("runs", "show", run).out
    assert "error\tthe disk is full; free space\n" in out
    assert "step\tCurate failed, attempt 4, " in out
    assert "alert\tfailure: 1 sent\n" in out


@pytest.mark.parametrize("run", ["20260101T000000Z-abcdef", "nonsense", "../raw"])
def test_a_run_that_is_not_there_is_said_in_one_line(cli, tmp_path, run):
    (tmp_path / "data").mkdir()
    outcome = cli("runs", "show", run)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "healthpipe runs list" in outcome.err


@pytest.mark.pitfall(57)
def test_the_records_of_runs_hold_no_values_of_records(cli, tmp_path, step_spy):
    (tmp_path / "in.jsonl").write_text('{"facility_id": "SECRET", "facility_name": "SECRET"}\n')
    cli("orchestrate", "in.jsonl")
    step_spy.failing["Audit"] = KeyError("SECRET")
    outcome = cli("orchestrate", "in.jsonl", "--force")
    assert "SECRET" not in outcome.err
    for path in tmp_path.glob("data/runs/**/*.json"):
        if path.parent.name != "state-counts":
            assert "SECRET" not in json.dumps(json.loads(path.read_text())), path
