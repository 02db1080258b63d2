"""Runs on S3 that are killed, interrupted or lose their lease: the next one clears up."""

import datetime
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from healthpipe.runs.locks import RootLock, RunLock, locked_runs
from healthpipe.runs.record import RunRecord
from healthpipe.runs.run import Run
from healthpipe.storage.layout import Root
from healthpipe.storage.lease import VALID_S
from healthpipe.storage.s3.storage import S3Storage
from tests.conftest import AS_OF

pytest_plugins = ["tests.support.s3_bucket"]

# A run that tells when it has come to a step, and stays there.
STAYING = """
import sys, time
from dataclasses import replace
from healthpipe.cli.app import run
from healthpipe.workflow import step_runner
name = sys.argv.pop(1)
step = step_runner.STEPS[name]
def stay(work):
    print("there", file=sys.stderr, flush=True)
    time.sleep(60)
step_runner.STEPS[name] = replace(step, perform=stay)
run()
"""


@pytest.fixture
def root(s3_bucket):
    return Root(f"{s3_bucket.uri}/data")


@pytest.fixture
def on(cli, root, s3_bucket, examples):
    s3_bucket.put_folder(examples, "data/raw")

    def run(*words):
        return cli(*words, "--root", root.uri)

    return run


@pytest.fixture
def staying(on, root, tmp_path, s3_bucket):
    """Start a run in a process of its own and wait until it has come to a step."""
    started = []

    def start(step):
        words = ["orchestrate", "--root", root.uri, "--as-of", AS_OF]
        process = subprocess.Popen(
            [sys.executable, "-c", STAYING, step, *words],
            cwd=tmp_path,
            env={**os.environ, **s3_bucket.environment, "TMPDIR": str(tmp_path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert any("there" in line for line in process.stderr)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def at_work(root):
    return (RootLock(root).holder() or {}).get("holder")


@pytest.mark.parametrize("step", ["Ingest", "Publish"])
def test_a_run_killed_on_this_machine_is_closed_by_the_next_at_once(on, root, staying, step):
    process = staying(step)
    (run_id,) = locked_runs(root)
    assert at_work(root) == run_id
    held_out = on("orchestrate", "--as-of", AS_OF)
    assert held_out.code == 5
    assert f"{run_id} is at work" in held_out.err
    assert f"process {process.pid} on" in held_out.err
    process.kill()
    process.wait()
    assert on("status", "--json").document["last_run_was_killed"]

    outcome = on("orchestrate", "--as-of", AS_OF, "--json")

    assert outcome.code == 0, outcome.err
    dead = Run(root, run_id).record
    assert (dead.status, dead.error["code"]) == ("failed", "died")
    assert locked_runs(root) == []
    assert at_work(root) is None
    assert outcome.document["alerts"][0]["about"] == "failure"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_gives_the_lease_back_and_closes_the_record(on, root, staying, number):
    process = staying("Curate")
    (run_id,) = locked_runs(root)
    process.send_signal(number)

    assert process.wait(15) == 128 + number
    assert at_work(root) is None
    assert Run(root, run_id).record.status == "interrupted"
    assert locked_runs(root) == []
    assert on("runs", "retry").code == 0


def record(run_id, command):
    return RunRecord(run_id, command, "duckdb", datetime.date(2026, 2, 15), {})


FIRST, SECOND = "20260215T060000Z-000001", "20260215T060000Z-000002"


def elsewhere(s3_bucket, key):
    """Make a lease look like that of a process of another machine."""
    document = json.loads(s3_bucket.get(key)) | {"machine": "another"}
    s3_bucket.put(key, json.dumps(document))


@pytest.fixture
def left(root, s3_bucket):
    """A run of another machine that ended without a word."""

    def leave(run_id, command):
        run = Run(root, run_id)
        run.begin(record(run_id, command))
        RunLock.of(root, run_id)._lock._held._is_over.set()  # its process renews it no more
        RunLock._in_process.pop(f"{root.absolute_uri}/{run_id}")
        elsewhere(s3_bucket, f"data/state/at-work/{run_id}.json")
        return run

    return leave


def test_a_stage_by_hand_elsewhere_is_dead_once_its_lease_is_over(on, root, left, monkeypatch):
    run = left(FIRST, "extract")
    assert on("extract", "--as-of", AS_OF).code == 0
    assert run.record.status == "running", "its lease is valid"
    assert on("orchestrate", "--as-of", AS_OF).code == 0
    assert run.record.status == "running"

    monkeypatch.setattr(S3Storage, "age", lambda *_: VALID_S)
    assert on("extract", "--as-of", AS_OF).code == 0
    assert (run.record.status, run.record.error["code"]) == ("failed", "died")
    assert locked_runs(root) == []


def test_whoever_holds_the_lock_knows_that_other_runs_of_the_workflow_are_dead(on, root, left):
    run = left(FIRST, "orchestrate")
    assert on("extract", "--as-of", AS_OF).code == 0
    assert run.record.status == "running", "a stage by hand does not hold the lock"
    assert on("orchestrate", "--as-of", AS_OF).code == 0
    assert run.record.status == "failed"


def test_a_lease_lost_midway_ends_the_run_before_it_publishes(on, root, step_spy, s3_bucket):
    def take_it():
        s3_bucket.put("data/state/lock.json", json.dumps({"holder": SECOND, "valid_s": VALID_S}))

    step_spy.before["Audit"] = take_it
    outcome = on("orchestrate", "--as-of", AS_OF)

    assert outcome.code == 5, outcome.err
    assert f"{SECOND} is at work" in outcome.err
    assert s3_bucket.keys("data/production/") == []
    assert at_work(root) == SECOND, "what others hold is not given back"
    assert locked_runs(root) == []


def test_the_lock_is_waited_for(on, root, monkeypatch):
    monkeypatch.setattr("healthpipe.storage.lock.POLL_S", 0.02)
    other = RootLock(root)
    other.acquire(SECOND)
    threading.Timer(0.2, other.release, [SECOND]).start()
    assert on("orchestrate", "--as-of", AS_OF, "--lock-wait", "30").code == 0


def test_looking_at_a_root_writes_nothing(on, root, s3_bucket):
    assert on("orchestrate", "--as-of", AS_OF).code == 0
    before = {key: s3_bucket.get(key) for key in s3_bucket.keys("")}
    for words in (("status",), ("runs", "list"), ("runs", "show"), ("current",)):
        assert on(*words).code == 0
    assert {key: s3_bucket.get(key) for key in s3_bucket.keys("")} == before


def test_nothing_is_left_on_this_machine(on, root, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    assert on("orchestrate", "--as-of", AS_OF).code == 0
    assert on("extract", "--as-of", AS_OF).code == 0
    assert [path for path in (tmp_path / "tmp").rglob("*") if path.parent != tmp_path / "tmp"] == []
