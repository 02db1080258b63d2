"""`status`: what is live, what is wrong, and who is at work."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healthpipe.runs import run as run_module
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import Execution
from healthpipe.storage.layout import Root
from healthpipe.storage.local import LocalStorage
from healthpipe.workflow import status
from tests.conftest import AS_OF


def test_status_tells_what_is_live_and_what_is_wrong(cli, failed):
    told = dict(line.split("\t") for line in cli("status").out.splitlines())
    assert told["live"].startswith(f"{failed} as of {AS_OF}, published ")
    assert " failed at Curate, ended 2" in told["last run"]
    assert told["last run"].endswith(": the disk is full")
    assert told["last good run"].startswith(failed)
    assert told["open failure"].startswith("service_failed at Curate, first ")

    document = cli("status", "--json").document
    assert document["live"]["run_id"] == document["last_good_run"]["run_id"] == failed
    assert document["last_run"]["failed_step"] == "Curate"
    assert 0 <= document["age_s"] < 600


def test_status_of_a_root_that_is_new_is_no_failure(cli, tmp_path):
    (tmp_path / "data").mkdir()
    outcome = cli("status")
    assert (outcome.code, outcome.out) == (0, "live\tnothing is published yet\n")
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("more", [(), ("--max-age", "26h")])
def test_status_refuses_a_root_that_is_not_there(cli, tmp_path, more):
    outcome = cli("status", "--root", "dta", *more)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "healthpipe: the root dta is not there; give --root as the runs were given it\n"
    )
    document = cli("status", "--root", "dta", "--json").document
    assert document["error"]["code"] == "root_not_found"
    assert list(tmp_path.iterdir()) == []


def test_status_tells_that_the_last_run_was_killed(cli, orchestrate):
    run = orchestrate("--json").document["run_id"]
    path = Path("data", "runs", run, "run.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "status": "running", "finished_at": None}))

    assert f"last run\t{run} was killed, the next run clears up, since 2" in cli("status").out
    assert cli("status", "--json").document["last_run_was_killed"]
    RootLock.of(Root("data")).acquire(run)
    assert f"last run\t{run} running, since 2" in cli("status").out
    assert not cli("status", "--json").document["last_run_was_killed"]
    RootLock.of(Root("data")).release(run)


def test_status_names_who_is_at_work(cli, orchestrate):
    orchestrate()
    RootLock.of(Root("data")).acquire("20260215T050000Z-abcdef")
    assert "at work\t20260215T050000Z-abcdef, since " in cli("status").out
    RootLock.of(Root("data")).release("20260215T050000Z-abcdef")
    assert "at work" not in cli("status").out


DAMAGE = {
    "overwritten": lambda path: path.write_bytes(b"x" * path.stat().st_size),
    "deleted": Path.unlink,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_status_fails_with_4_when_a_live_file_is_not_what_was_published(cli, orchestrate, how):
    path = Path(orchestrate().out.splitlines()[2])
    path.chmod(0o600)
    DAMAGE[how](path)

    outcome = cli("status", "--max-age", "26h")
    assert outcome.code == 4
    told = dict(line.split("\t") for line in outcome.out.splitlines())
    assert told["live"]
    assert told["damaged"].startswith(f"{path.relative_to('data')} is ")
    (line,) = outcome.err.splitlines()
    assert told["damaged"] in line
    assert (
        f"`healthpipe orchestrate --root {Path('data').resolve()} --force` publishes anew" in line
    )
    quiet = cli("status", "--quiet")
    assert (quiet.code, quiet.out, quiet.err.splitlines()) == (4, "", [line])

    document = cli("status", "--json").document
    assert (document["status"], document["error"]["code"]) == ("failed", "published_damaged")
    assert [each["path"] for each in document["damaged_files"]] == [str(path.relative_to("data"))]
    assert document["live"]["run_id"] == document["last_run"]["run_id"]


def test_status_reads_no_file_that_is_not_live(cli, orchestrate, monkeypatch):
    Path(orchestrate().out.splitlines()[0]).unlink()
    published = orchestrate("--force").out.splitlines()
    read, real = [], LocalStorage.sha256

    def sha256(self, uri):
        read.append(uri)
        return real(self, uri)

    monkeypatch.setattr(LocalStorage, "sha256", sha256)
    document = cli("status", "--json").document
    assert document["damaged_files"] == []
    assert sorted(read) == sorted(published)


@pytest.mark.pitfall(55)
@pytest.mark.parametrize(
    ("hours", "age", "code"),
    [(25, "26h", 0), (27, "26h", 3), (27, "2d", 0), (2, "90m", 3), (1, "90m", 0)],
)
def test_status_fails_with_3_when_the_last_good_run_is_too_old(
    cli, orchestrate, monkeypatch, hours, age, code
):
    orchestrate()

    class Later(datetime):
        @classmethod
        def now(cls, _):
            return datetime.now(UTC) + timedelta(hours=hours)

    monkeypatch.setattr(status.datetime, "datetime", Later)
    outcome = cli("status", "--max-age", age, "--json")
    assert outcome.code == code
    if code:
        assert outcome.document["error"]["code"] == "stale"
        assert len(outcome.err.splitlines()) == 1
        assert cli("status", "--max-age", age).out.startswith("live\t"), "and how it stands"
        assert cli("status", "--max-age", age, "--quiet").out == ""


def test_status_fails_with_3_when_no_run_ever_succeeded(cli, tmp_path):
    (tmp_path / "data").mkdir()
    assert cli("status", "--max-age", "26h").code == 3


def set_clock(monkeypatch, **away):
    """Have runs begin and end by a clock that is so far from this one."""
    ahead = datetime.now(UTC) + timedelta(**away)
    start = replace(Execution.now(), start=ahead.replace(microsecond=0))
    monkeypatch.setattr(Execution, "now", lambda: start)
    monkeypatch.setattr(run_module, "utc_now", lambda *_: ahead.isoformat(timespec="seconds"))


def test_a_run_of_a_clock_that_was_ahead_does_not_keep_the_watchdog_quiet(
    cli, orchestrate, monkeypatch
):
    with monkeypatch.context() as patched:
        set_clock(patched, days=330)
        run = orchestrate("--json").document["run_id"]

    told, late = cli("status"), cli("status", "--max-age", "26h", "--quiet")

    assert told.code == 0
    assert re.fullmatch(
        f"run {run} ended 329 d 23 h in the future: its clock was wrong, or this one is\n", told.err
    )
    assert ", in the future\n" in told.out
    assert (late.code, late.out) == (3, "")
    assert late.err.startswith(f"healthpipe: run {run} ended 329 d 23 h in the future: ")
    document = cli("status", "--json").document
    assert (document["run_in_future"]["run_id"], document["last_good_run"]) == (run, None)
    assert document["age_s"] is None


def test_a_good_run_since_is_one_whatever_an_earlier_clock_said(cli, orchestrate, monkeypatch):
    with monkeypatch.context() as patched:
        set_clock(patched, days=330)
        ahead = orchestrate("--json").document["run_id"]
    run = orchestrate("--force", "--json").document["run_id"]

    outcome = cli("status", "--max-age", "26h", "--json")

    assert outcome.code == 0
    assert f"run {ahead} ended 329 d 23 h in the future" in outcome.err
    assert outcome.document["last_good_run"]["run_id"] == run


@pytest.mark.parametrize(("minutes", "code"), [(4, 0), (6, 3)])
def test_clocks_may_differ_by_five_minutes(cli, orchestrate, monkeypatch, minutes, code):
    with monkeypatch.context() as patched:
        set_clock(patched, minutes=minutes)
        orchestrate()

    outcome = cli("status", "--max-age", "26h")

    assert (outcome.code, "in the future" in outcome.err) == (code, code == 3)


def test_a_run_with_nothing_to_do_is_a_good_one(cli, orchestrate, monkeypatch):
    earlier = replace(Execution.now(), start=datetime.now(UTC) - timedelta(hours=1))
    with monkeypatch.context() as patched:
        patched.setattr(Execution, "now", lambda: earlier)
        orchestrate()
    orchestrate()
    document = cli("status", "--json").document
    assert document["last_run"]["status"] == "unchanged"
    assert document["last_good_run"] == document["last_run"]


@pytest.mark.parametrize("age", ["26", "h", "-1h", "1.5h", "26 h", "1w", ""])
def test_an_age_that_is_none_is_refused(cli, age):
    assert cli("status", "--max-age", age).code == 2


def dated(day: datetime, count: int = 5) -> str:
    record = '{{"facility_id": "{0}", "facility_name": "N", "location": {{"state": "CA"}}}}\n'
    folder = Path("data", "raw", day.date().isoformat())
    folder.mkdir(parents=True, exist_ok=True)
    return "".join(record.format(number) for number in range(count))


@pytest.fixture
def two_feeds(cli):
    """A live run of a feed of yesterday and of one that is 40 days old."""
    now = datetime.now(UTC)
    for name, age in (("east.jsonl", 1), ("west.jsonl", 40)):
        day = now - timedelta(days=age)
        text = dated(day).replace('"facility_id": "', f'"facility_id": "{name}')
        Path("data", "raw", day.date().isoformat(), name).write_text(text)
    assert cli("orchestrate").code == 0
    return now.date()


def test_status_shows_how_old_the_newest_snapshots_are(cli, two_feeds):
    told = dict(line.split("\t") for line in cli("status").out.splitlines())

    days = [(two_feeds - timedelta(days=age)).isoformat() for age in (1, 40)]
    assert told["snapshot"] == (
        f"of {days[0]}, 1 day old; that of west.jsonl of {days[1]}, 40 days old"
    )
    assert cli("status", "--json").document["newest_snapshots"] == {
        "east.jsonl": days[0],
        "west.jsonl": days[1],
    }


def test_a_snapshot_that_is_too_old_makes_the_status_fail(cli, two_feeds):
    assert cli("status", "--max-snapshot-age", "40d").code == 0

    outcome = cli("status", "--max-snapshot-age", "39d")
    assert outcome.code == 3
    assert "the newest snapshot of west.jsonl is 40 days old, more than 39 d is too old" in (
        outcome.err
    )


def test_snapshots_without_a_date_are_too_old(cli):
    Path("in.jsonl").write_text(dated(datetime.now(UTC)))
    assert cli("orchestrate", "in.jsonl").code == 0

    assert "snapshot\twithout a date" in cli("status").out
    outcome = cli("status", "--max-snapshot-age", "9000d")
    assert outcome.code == 3
    assert "the newest snapshot of in.jsonl has no usable date" in outcome.err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_verdict_sets_the_exit_code_when_nobody_reads_the_table(orchestrate, unbuffered):
    orchestrate()
    command = [sys.executable, "-m", "healthpipe", "status", "--max-age", "0m"]
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        command,
        check=False,
        stdout=writer,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )
    os.close(writer)

    assert ended.returncode == 3
    assert ended.stderr.startswith(b"healthpipe: the last good run ended ")
