"""Athena's queries fail, hang, are cancelled, or cost too much, while commands wait for them."""

import pytest

from healthpipe.engines.athena import queries
from healthpipe.workflow import step_runner
from tests.conftest import AS_OF
from tests.support.aws_root import require_failed

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.aws_root"]
SLOW_DOWN = (
    "HIVE_CURSOR_ERROR: Failed to read: Please reduce your request rate. (Service: Amazon S3; "
    "Status Code: 503; Error Code: SlowDown)"
)
# In the text of the queries that read raw lines, and of those of a step's first attempt.
RAW, EXTRACT, STATE_COUNTS = '"raw_', "_extract_1_", "_statecounts_1_"


def ids_of(record):
    return [query["id"] for step in record["steps"] for query in step.get("queries", ())]


def test_a_query_that_s3_slows_down_is_started_again_in_a_place_of_its_own(place):
    place.aws.faults.fail_query(SLOW_DOWN, containing=RAW, times=2)
    record = place.require_published(place.orchestrate())

    assert place.states()["FAILED"] == 2
    targets = [text.rpartition(" TO ")[2] for text in unloads(place, RAW)]
    assert len(targets) == len(set(targets)) == 3
    assert len(set(tokens(place))) == len(place.aws.queries())
    assert set(ids_of(record)) == {query["QueryExecutionId"] for query in place.aws.queries()}
    assert all("/3/" in uri for uri in segment_data(place)), "nothing of the first starts is read"
    assert {key for key in place.keys("curated/") if not key.endswith("segment.json")} == set(
        segment_data(place)
    )


def unloads(place, containing):
    texts = (query["Query"] for query in place.aws.queries())
    return [text for text in texts if containing in text and text.startswith("UNLOAD")]


def tokens(place):
    """The tokens of the calls that started queries."""
    starts = (call for call in place.aws.calls if call.action == "StartQueryExecution")
    return [call.document["ClientRequestToken"] for call in starts]


def segment_data(place):
    (key,) = [key for key in place.keys("curated/") if key.endswith("/segment.json")]
    folder = key.rpartition("/")[0]
    data = place.json(key)["data"]
    assert data
    return [f"{folder}/{each['name']}" for each in data]


def test_a_query_that_stays_slowed_down_is_tried_by_the_workflow_too(place):
    place.aws.faults.fail_query(SLOW_DOWN, containing=RAW, times=None)
    record = require_failed(place, place.orchestrate(), 4)
    assert "SlowDown" in record["error"]["message"]
    (curate,) = [step for step in record["steps"] if step["name"] == "Curate"]
    assert (curate["status"], curate["attempt"]) == ("failed", 4)
    assert len(curate["queries"]) == 4 * queries.STARTS
    assert len(set(tokens(place))) == 4 * queries.STARTS


def test_a_step_that_fails_twice_is_tried_again_with_new_attempts_and_tokens(place):
    place.aws.faults.fail_query(SLOW_DOWN, containing=RAW, times=2 * queries.STARTS)
    record = place.require_published(place.orchestrate())
    (curate,) = [step for step in record["steps"] if step["name"] == "Curate"]
    assert (curate["status"], curate["attempt"]) == ("succeeded", 3)
    assert len(tokens(place)) == len(set(tokens(place))) == len(place.aws.queries())
    assert {uri.split("/")[2] for uri in segment_data(place)} == {"3"}


@pytest.mark.parametrize("containing", [RAW, EXTRACT])
def test_a_query_that_hangs_is_stopped_at_the_deadline(place, monkeypatch, containing):
    monkeypatch.setattr(queries, "DEADLINE_S", 3)  # more than any other query takes
    no_retries(monkeypatch)
    place.aws.faults.hang_query(containing, times=None)
    outcome = place.orchestrate()

    record = require_failed(place, outcome, 4)
    assert "had not ended after" in record["error"]["message"]
    assert record["alerts"][0]["about"] == "failure"
    assert place.states()["CANCELLED"] >= 1
    assert "run failed" in outcome.err


def no_retries(monkeypatch):
    """Let the workflow try nothing again."""
    monkeypatch.setattr("healthpipe.asl.errors.Retries.delay", lambda *_: None)


def test_a_query_that_somebody_else_cancels_ends_the_run(place, monkeypatch):
    no_retries(monkeypatch)
    place.aws.faults.cancel_query(STATE_COUNTS)
    record = require_failed(place, place.orchestrate(), 4)
    assert "was cancelled by somebody else" in record["error"]["message"]
    assert record["error"]["hint"] == "run again"
    place.require_published(place.run("runs", "retry"))


def test_a_stage_by_hand_whose_query_is_cancelled(place):
    place.aws.faults.cancel_query()
    outcome = place.run("extract", "--engine", "athena", "--as-of", AS_OF)
    record = require_failed(place, outcome, 4)
    assert "was cancelled by somebody else" in record["error"]["message"]
    assert record["queries"]


@pytest.mark.parametrize("how", ["drop", "error"])
def test_a_start_whose_answer_is_lost_is_one_query(place, how):
    place.aws.faults.lose_answer("athena", "StartQueryExecution", times=3, how=how)
    record = place.require_published(place.orchestrate())
    started = tokens(place)
    assert len(started) == len(set(started)) + 3
    assert len(place.aws.queries()) == len(set(started))
    assert set(ids_of(record)) == {query["QueryExecutionId"] for query in place.aws.queries()}


def test_a_run_that_scans_too_much_is_stopped_and_says_how_to_let_it(place):
    place.aws.faults.hang_query(EXTRACT, times=None)
    place.aws.faults.hang_query(STATE_COUNTS, times=None)
    outcome = place.orchestrate("--max-bytes-scanned", "1")
    record = require_failed(place, outcome, 2)
    assert "raise --max-bytes-scanned" in outcome.err.splitlines()[-1]
    assert record["scanned"]["bytes"] > 1
    place.aws.faults.clear()
    place.require_published(place.run("runs", "retry", "--max-bytes-scanned", "1000000"))


def test_branches_that_wait_for_queries_are_stopped_when_one_fails(place):
    place.aws.faults.hang_query(EXTRACT)
    place.aws.faults.hang_query(STATE_COUNTS)
    place.aws.faults.fail_query(
        "PERMISSION_DENIED: not allowed", containing="_filterexpiring_1_", times=None
    )
    record = require_failed(place, place.orchestrate(), 2)
    assert "was refused" in record["error"]["message"]
    stopped = {"Extract", "StateCounts"}
    found = {step["name"]: step for step in record["steps"]}
    assert found.keys() >= stopped | {"FilterExpiring"}
    assert all(found[name]["status"] in ("failed", "abandoned") for name in stopped)
    assert set(step_runner.STEPS) >= found.keys()
