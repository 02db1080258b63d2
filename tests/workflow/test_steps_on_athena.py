"""Steps as AWS Lambda calls them: again and again while a query runs."""

import json
import threading
import time

import pytest

from healthpipe.ingest.manifest import Manifest
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.attempts import Attempt
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import Execution
from healthpipe.runs.run import Run
from healthpipe.storage.layout import open_root
from healthpipe.workflow import step_runner
from healthpipe.workflow.lambda_handler import handler
from tests.local_aws import local_aws
from tests.support.aws_root import shorten_pauses
from tests.workflow.test_steps import EXECUTION, IN_ORDER, Context

BUCKET = "called-again"


@pytest.fixture(scope="module")
def server():
    with local_aws() as aws:
        yield aws


@pytest.fixture
def aws(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    shorten_pauses(monkeypatch)
    server.client("s3").create_bucket(Bucket=BUCKET)
    yield server
    server.reset()


@pytest.fixture
def run(aws, monkeypatch, tmp_path):
    monkeypatch.setenv("HEALTHPIPE_CACHE", str(tmp_path / "cache"))
    # A test beside this one has a run of the same name on the same root.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    root = open_root(f"s3://{BUCKET}/root")
    run = Run(root, Execution.from_json(EXECUTION).run_id)
    yield run
    RootLock.of(root).release(run.run_id)
    if run.exists:
        run.release()


@pytest.fixture
def call(run, examples, monkeypatch):
    """Call a step as Step Functions does, again while it answers RUNNING; the number of calls."""
    monkeypatch.setattr(step_runner, "QUERY_WAIT_S", 0.0)

    def call(step, **request):
        asked = {"root": run.root.uri, "engine": "athena", "sources": [str(examples)], **request}
        event = {"step": step, "execution": EXECUTION, "request": asked, "error": None}
        calls = 1
        while (status := handler(json.loads(json.dumps(event)), Context())["status"]) == "RUNNING":
            calls += 1
            time.sleep(0.02)
        assert status == "DONE"
        return calls

    return call


def test_a_step_that_waits_for_queries_is_called_again_and_runs_each_of_them_once(aws, run, call):
    calls = {step: call(step) for step in IN_ORDER}

    assert all(calls[step] > 1 for step in ("Curate", "Extract", "FilterExpiring", "StateCounts"))
    assert read_live(run.root).run_id == run.run_id
    steps = run.record.steps
    assert {step.attempt for step in steps} == {1}, "one that is called again is the same attempt"
    noted = [query.id for step in steps for query in step.queries or ()]
    asked = [query["QueryExecutionId"] for query in aws.queries()]
    assert sorted(noted) == sorted(asked), "each is known to the run"
    texts = [query["Query"] for query in aws.queries()]
    assert len(texts) == len(set(texts)), "and none was started twice"
    assert {query["Status"]["State"] for query in aws.queries()} == {"SUCCEEDED"}
    assert (
        aws.client("glue").get_tables(DatabaseName="healthpipe", Expression="raw_*")["TableList"]
        == []
    ), "no table of an attempt stays"


@pytest.mark.pitfall(33)
def test_an_attempt_that_died_leaves_no_query_behind_for_the_next(aws, run, call):
    call("Ingest")
    aws.faults.hang_query()
    attempt = Attempt.begin(run, "Curate")
    hung = aws.client("athena").start_query_execution(
        QueryString="select 1",
        ClientRequestToken="0" * 64,
        ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
    )["QueryExecutionId"]
    attempt.note(queries=[{"id": hung, "token": "", "state": "STARTED", "bytes_scanned": 0}])

    call("Curate")

    assert aws.running_queries() == []
    assert Attempt.last(run, "Curate").number == 2
    ends = {query["id"]: query["state"] for query in Attempt.last(run, "Curate").notes["queries"]}
    assert ends[hung] == "CANCELLED"


def test_a_query_that_read_files_before_they_changed_is_not_found_again(
    aws, run, call, monkeypatch
):
    def put(facilities):
        lines = "".join(f'{{"facility_id": "f{number}"}}\n' for number in range(facilities))
        aws.client("s3").put_object(Bucket=BUCKET, Key="root/raw/a.jsonl", Body=lines.encode())

    put(1)
    call("Ingest", sources=[])
    has_changed, called_again = threading.Event(), threading.Event()
    begin, changed_files = Attempt.begin, Manifest.changed_files

    def changed(*given):
        """Change the file once it was read; the query that reads it anew goes on for a while."""
        if not has_changed.is_set():
            has_changed.set()
            put(3)
            aws.faults.while_query_runs(lambda: called_again.wait(30), containing='"raw_')
        return changed_files(*given)

    def begin_again(*given):
        if has_changed.is_set():
            called_again.set()
        return begin(*given)

    monkeypatch.setattr(Manifest, "changed_files", changed)
    monkeypatch.setattr(Attempt, "begin", begin_again)
    call("Curate", sources=[])

    assert run.record.details["records"]["accepted"] == 3
    targets = [query["Query"].rpartition(" TO ")[2] for query in aws.queries()]
    unloads = [target for target in targets if "/curated/" in target]
    assert len(unloads) == len(set(unloads))
