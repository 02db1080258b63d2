"""`doctor` looks at what a run needs before the first one."""

import json
from pathlib import Path

import pytest

from healthpipe.doctor import environment
from healthpipe.doctor.checks import Check, CheckResult, Verdict, run_checks
from healthpipe.errors import ServiceFailed


def test_a_root_on_this_machine_is_looked_at(cli, tmp_path):
    outcome = cli("doctor", "--root", "data")
    assert outcome.code == 0
    checks = {line.split("\t")[0]: line.split("\t")[1] for line in outcome.out.splitlines()}
    assert checks == dict.fromkeys(("root", "room", "engine", "input", "published"), "ok")
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_a_root_that_cannot_be_written_is_a_failed_doctor(cli):
    outcome = cli("doctor", "--root", "/proc/nowhere/data", "--json")
    assert outcome.code == 2
    assert (outcome.document["status"], outcome.document["error"]["code"]) == (
        "failed",
        "doctor_failed",
    )
    assert outcome.document["checks"][0]["verdict"] == "failed"
    assert "--root" in outcome.document["checks"][0]["fix"]
    assert len(outcome.err.splitlines()) == 1


def test_little_room_is_a_warning(cli, monkeypatch):
    monkeypatch.setattr(environment, "LOW_SPACE_BYTES", 10**18)
    outcome = cli("doctor")
    assert outcome.code == 0
    assert "room\twarning" in outcome.out


def test_live_files_that_are_sound_are_said_to_be(orchestrate, cli):
    run = orchestrate("--json").document["run_id"]
    outcome = cli("doctor")
    assert outcome.code == 0
    assert f"published\tok\tthe 4 files of {run} are what was published" in outcome.out


def test_what_was_published_in_the_future_is_a_warning(orchestrate, cli):
    run = orchestrate("--json").document["run_id"]
    pointer = Path("data/production/current.json")
    live = json.loads(pointer.read_text())
    pointer.write_text(json.dumps(live | {"published_at": "2099-02-15T06:00:00+00:00"}))

    outcome = cli("doctor")

    assert outcome.code == 0
    assert (
        f"published\twarning\t{run} was published at 2099-02-15T06:00:00Z, in the future"
        in outcome.out
    )


def test_a_live_file_that_is_gone_fails_with_4_and_the_way_back(orchestrate, cli):
    Path(orchestrate().out.splitlines()[0]).unlink()

    outcome = cli("doctor", "--json")
    assert outcome.code == 4
    assert outcome.document["error"]["code"] == "published_damaged"
    assert outcome.document["checks"][-1]["verdict"] == "failed"
    (line,) = outcome.err.splitlines()
    assert "published: production/" in line
    assert (
        f"`healthpipe orchestrate --root {Path('data').resolve()} --force` publishes anew" in line
    )


def test_what_a_run_needs_comes_before_what_is_live(orchestrate, cli, monkeypatch):
    Path(orchestrate().out.splitlines()[0]).unlink()
    full = CheckResult("engine", Verdict.FAILED, "broken", "repair it")
    monkeypatch.setattr(environment, "_check_engine", lambda: full)

    outcome = cli("doctor", "--json")
    assert outcome.code == 2
    assert outcome.document["error"]["message"] == "engine: broken (and 1 more)"


def failing():
    raise ServiceFailed("it does not answer", "wake it")


@pytest.mark.parametrize("needs", [("a",), ("b",)])
def test_what_rests_on_a_failed_check_is_not_looked_at(needs):
    looked = []
    checks = [
        Check("a", failing),
        Check("b", lambda: "fine", needs=("a",)),
        Check("c", lambda: looked.append("c") or "fine", needs=needs),
        Check("d", lambda: "fine"),
    ]
    found = list(run_checks(checks))
    assert found[0] == CheckResult("a", Verdict.FAILED, "it does not answer", "wake it")
    verdicts = [finding.verdict for finding in found]
    assert verdicts == [Verdict.FAILED, Verdict.SKIPPED, Verdict.SKIPPED, Verdict.OK]
    assert looked == []
