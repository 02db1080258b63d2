"""`orchestrate --quiet`: what is wrong as it was yesterday is not told again, a change is."""

import json
import logging
import shutil

import pytest

from healthpipe.cli import app, console
from tests.support.records import facility, write_records
from tests.support.stored_root import restore_root

# Nothing of it lapses within months, so that there is no alert among the messages.
FAR = "2036-01-01"
LENIENT = ("--max-rejects", "90%", "--max-drop", "90%")
NAME = "not a name that is read"


def records(good=60, *, rejected=0, stateless=0):
    whole = [facility(f"F{number}", FAR) for number in range(good)]
    bare = [facility(f"S{number}", FAR, state=None) for number in range(stateless)]
    return [*whole, *bare, *[b"no JSON"] * rejected]


@pytest.fixture
def morning(cli, tmp_path):
    """Replace the input, run the workflow with --quiet the next day; returns what it printed.

    The run's own folder is `RUN` in it.
    """
    day = iter(range(1, 29))

    def run(*lines, options=LENIENT):
        write_records(tmp_path / "data/raw/facilities.jsonl", *lines)
        as_of = f"2026-02-{next(day):02}"
        outcome = cli("orchestrate", "--as-of", as_of, "--quiet", *options)
        assert (outcome.code, outcome.out) == (0, ""), outcome.err
        live = json.loads((tmp_path / "data/production/current.json").read_text())
        return outcome.err.replace(f"data/runs/{live['run_id']}", "RUN").splitlines()

    return run


def test_reasons_are_told_when_they_appear_change_and_end(morning):
    assert morning(*records(rejected=2, stateless=1)) == [
        "rejected: 2 not_json; kept in RUN/rejects.parquet",
        "issues: 1 state_missing; listed in RUN/issues.parquet",
    ]
    assert morning(*records(rejected=2, stateless=1)) == []
    assert morning(*records(rejected=4, stateless=2)) == []
    assert morning(*records(rejected=8, stateless=2)) == [
        "rejected: 8 not_json (was 4); kept in RUN/rejects.parquet",
    ]
    without_id = facility("x", FAR) | {"facility_id": " "}
    assert morning(*records(rejected=8), without_id) == [
        "rejected: 1 facility_id_missing; kept in RUN/rejects.parquet",
        "only in the run before: 2 state_missing",
    ]
    assert morning(*records()) == [
        "only in the run before: 1 facility_id_missing",
        "only in the run before: 8 not_json",
    ]
    assert morning(*records()) == []


def test_a_rule_that_rejects_now_is_told_as_that(morning):
    morning(*records(stateless=1))

    assert morning(*records(stateless=1), options=(*LENIENT, "--rule", "state_missing=reject")) == [
        "rejected: 1 state_missing; kept in RUN/rejects.parquet",
    ]


def test_skipped_files_are_told_by_feed(morning, tmp_path):
    raw = tmp_path / "data/raw"
    (raw / "2026-02-01").mkdir(parents=True)
    (raw / "2026-02-01/notes 1.csv").touch()
    assert morning(*records()) == [f"skipped data/raw/2026-02-01/notes 1.csv: {NAME}"]
    shutil.copytree(raw / "2026-02-01", raw / "2026-02-02")
    assert morning(*records()) == []
    for number in range(2, 5):
        (raw / f"2026-02-02/notes {number}.csv").touch()
    (raw / "x.csv").touch()
    assert morning(*records()) == [
        f"skipped data/raw/2026-02-01/notes 1.csv and 4 more of notes #.csv: {NAME}",
        f"skipped data/raw/x.csv: {NAME}",
    ]
    (raw / "x.csv").unlink()
    assert morning(*records()) == ["only in the run before: skipped x.csv"]


def test_of_many_kinds_of_skipped_files_ten_are_named(morning, tmp_path):
    (tmp_path / "data/raw").mkdir(parents=True)
    for letter in "abcdefghijkl":
        (tmp_path / f"data/raw/{letter}.csv").touch()

    told = morning(*records())

    assert len(told) == 11
    assert told[-1] == "skipped 2 other files; listed in RUN/inputs.json"


def test_warnings_of_gates_are_told_when_they_appear_change_and_end(morning):
    options = (*LENIENT, "--warn-rejects", "1")
    gate = "rejected lines {} of {}, more than 1"

    def gates(*lines):
        return [line for line in morning(*lines, options=options) if "lines" in line]

    assert gates(*records(rejected=2)) == [gate.format(2, 62)]
    assert gates(*records(rejected=2)) == []
    assert gates(*records(rejected=4)) == []
    assert gates(*records(rejected=7)) == [gate.format(7, 67)]
    assert gates(*records()) == [f"only in the run before: {gate.format(7, 67)}"]


def test_the_rate_of_a_rule_is_told_once_for_its_feed(morning):
    rate = "state_missing: 8 of 68 records in facilities.jsonl (12 %), more than 5%"

    assert rate in morning(*records(stateless=8))
    assert morning(*records(stateless=8)) == []
    assert morning(*records(stateless=9)) == []
    assert morning(*records())[-1].startswith(
        "only in the run before: state_missing: 9 of 69 records in "
    )


def test_everything_is_told_where_the_record_of_the_live_run_is_gone(morning, tmp_path):
    everything = morning(*records(rejected=2, stateless=1))
    for run in (tmp_path / "data/runs").iterdir():
        shutil.rmtree(run)

    assert morning(*records(rejected=2, stateless=1)) == everything


def test_everything_is_told_without_quiet_every_time(cli, tmp_path):
    write_records(tmp_path / "data/raw/a.jsonl", *records(rejected=2, stateless=1))
    (tmp_path / "data/raw/x.csv").touch()
    options = ("--warn-rejects", "1", *LENIENT)

    for day in ("2026-02-01", "2026-02-02"):
        told = cli("orchestrate", "--as-of", day, *options).err
        for line in (
            "rejected lines 2 of 63, more than 1\n",
            "rejected: 2 not_json; kept in ",
            "issues: 1 state_missing; listed in ",
            f"skipped data/raw/x.csv: {NAME}\n",
        ):
            assert line in told


def test_nothing_to_do_says_nothing(cli, tmp_path):
    write_records(tmp_path / "data/raw/a.jsonl", *records(rejected=2))
    cli("orchestrate", "--as-of", "2026-02-01", *LENIENT)
    (tmp_path / "data/raw/x.csv").touch()

    assert cli("orchestrate", "--as-of", "2026-02-01", "--quiet", *LENIENT).err == ""


def test_a_lambda_function_logs_warnings_of_gates_every_time(morning, caplog, monkeypatch):
    """The command line alone filters messages."""
    options = (*LENIENT, "--warn-rejects", "1")
    morning(*records(rejected=2), options=options)
    for module in (app, console):
        monkeypatch.setattr(module, "start_logging", lambda *_, **__: None)
    log = logging.getLogger("healthpipe")
    monkeypatch.setattr(log, "handlers", [caplog.handler])
    log.setLevel(logging.WARNING)
    morning(*records(rejected=2), options=options)

    assert "rejected lines 2 of 62, more than 1" in caplog.messages


def test_repaired_rejects_have_ended(morning, cli, tmp_path):
    morning(*records(rejected=1))
    run = json.loads((tmp_path / "data/production/current.json").read_text())["run_id"]
    repaired = write_records(tmp_path / "repaired.jsonl", facility("R1", FAR))
    cli("quarantine", "export", run, "-o", "rejected.jsonl")
    assert cli("quarantine", "replay", repaired, "--run", run).code == 0

    assert "only in the run before: 1 not_json" in morning(*records(rejected=1))
    assert morning(*records(rejected=1)) == []


def test_a_live_run_of_0_1_0_is_compared_with(cli, tmp_path):
    restore_root(tmp_path)
    options = ("--as-of", "2026-02-17", "--quiet", "--max-rejects", "50%")

    told = [line for line in cli("orchestrate", *options).err.splitlines() if ":" in line]

    assert not [line for line in told if line.startswith(("rejected", "issues", "only in"))]
