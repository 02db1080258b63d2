"""Processes that are interrupted, killed or started twice while Athena works for them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import AS_OF
from tests.support.aws_root import ROOT, SOON, require_clean

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.aws_root"]
QUICK_S = 15.0
RAW, EXTRACT = '"raw_', "_extract_1_"
ORCHESTRATE = ("orchestrate", "--engine", "athena", "--as-of", AS_OF, "--root", ROOT)
STAGE = ("state-counts", "--engine", "athena", "--as-of", AS_OF, "--root", ROOT)


@pytest.fixture
def started(place, tmp_path):
    """Start a command in a process of its own and wait until a query of it hangs."""
    processes = []

    def start(*words, hanging=RAW, count=1):
        place.aws.faults.hang_query(hanging)
        process = subprocess.Popen(
            [sys.executable, "-m", "healthpipe", *words],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        until(lambda: len(place.aws.running_queries()) == count and noted(place), process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def until(condition, process, seconds=60):
    """Wait for what another process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def noted(place):
    """Whether the queries that run are written down in the run."""
    text = "".join(
        place.get(key).decode()
        for key in place.keys("runs/")
        if "/steps/" in key or key.endswith("/run.json")
    )
    return all(query in text for query in place.aws.running_queries())


def stopped_at(place, query):
    """When the query was asked to stop."""
    stops = (call for call in place.aws.calls if call.action == "StopQueryExecution")
    return next(call.at for call in stops if call.document["QueryExecutionId"] == query)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGTERM, ORCHESTRATE),
        pytest.param(signal.SIGINT, ORCHESTRATE, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, STAGE, marks=pytest.mark.slow),
    ],
)
def test_a_signal_stops_the_query_at_once_and_ends_the_process(place, started, number, words):
    process = started(*words)
    (query,) = place.aws.running_queries()
    sent = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    assert time.monotonic() - sent < QUICK_S
    assert process.returncode == 128 + number, err
    assert err.splitlines()[-1].startswith("healthpipe: interrupted; ")
    assert stopped_at(place, query) - sent < 3
    assert not place.live
    require_clean(place)
    (record,) = place.records
    assert record["status"] == "interrupted"
    assert query in json.dumps(record)


def test_a_signal_while_branches_wait_stops_their_queries(place, started):
    for branch in ("_filterexpiring_1_", "_statecounts_1_"):
        place.aws.faults.hang_query(branch)
    process = started(*ORCHESTRATE, hanging=EXTRACT, count=3)
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - sent < QUICK_S
    assert process.returncode == 143, err
    require_clean(place)
    place.require_published(place.run("runs", "retry"))


def test_a_second_signal_ends_it_at_once_and_the_next_run_clears_up(place, started):
    process = started(*ORCHESTRATE)
    # A service that does not answer is what anybody sends a second signal for.
    place.aws.faults.throttle("athena", "StopQueryExecution", times=None)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    process.wait(10)
    assert time.monotonic() - sent < 2
    assert process.returncode in (143, 130)
    place.aws.faults.clear()
    place.require_published(place.orchestrate())
    assert place.records[0]["status"] in ("failed", "interrupted")


def test_the_next_run_ends_what_a_killed_one_has_left(place, started):
    process = started(*ORCHESTRATE)
    (query,) = place.aws.running_queries()
    held_out = place.orchestrate()
    assert held_out.code == 5, held_out.err
    assert "is at work" in held_out.err
    assert place.aws.running_queries() == [query], "who is locked out stops nothing"
    process.kill()
    process.wait()
    assert place.tables_of_runs()
    (run_id,) = {key.split("/")[1] for key in place.keys("runs/")}
    dead = place.json(f"runs/{run_id}/run.json")
    dead["request"]["profile"] = "of-another-machine"
    place.put(f"runs/{run_id}/run.json", json.dumps(dead).encode())

    outcome = place.orchestrate()

    place.require_published(outcome)
    dead, record = place.records
    assert (dead["status"], dead["error"]["code"]) == ("failed", "died")
    assert "the process ended without a word" in outcome.err
    assert place.states()["CANCELLED"] == 1
    assert record["alerts"][0]["about"] == "failure"
    assert place.published("expiring.ndjson") == SOON


def test_a_killed_stage_by_hand_is_cleared_up_by_the_next(place, started):
    process = started(*STAGE)
    process.kill()
    process.wait()
    outcome = place.run("state-counts", "--engine", "athena", "--as-of", AS_OF)
    assert outcome.code == 0, outcome.err
    require_clean(place)
    assert place.records[0]["error"]["code"] == "died"
    assert place.states()["CANCELLED"] == 1


def test_of_two_at_once_one_is_kept_out(place, started):
    process = started(*ORCHESTRATE)
    held_out = place.orchestrate()
    assert held_out.code == 5
    (query,) = place.aws.running_queries()
    place.aws._athena.queries.get(query).stopping.asked.set()  # cancelled, and started again
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    require_clean(place)
    assert len(place.records) == 1
