"""Steps as AWS Lambda calls them: again and again while a query runs."""

import datetime
import itertools
import json
import threading
import time
from dataclasses import replace

import pytest

from healthpipe.engines.athena.engine import AthenaEngine
from healthpipe.engines.athena.queries import AthenaQueryRunner
from healthpipe.ingest.manifest import Manifest
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.attempts import Attempt
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import Execution
from healthpipe.runs.run import Run
from healthpipe.storage.layout import open_root
from healthpipe.workflow import step_runner
from healthpipe.workflow.lambda_handler import ERRORS, handler
from healthpipe.workflow.steps.context import StepContext
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


@pytest.fixture
def call_once(run, monkeypatch):
    """Call a step on the files of the root once, as Step Functions does; its status."""
    monkeypatch.setattr(step_runner, "QUERY_WAIT_S", 0.0)

    def call_once(step):
        request = {"root": run.root.uri, "engine": "athena"}
        event = {"step": step, "execution": EXECUTION, "request": request, "error": None}
        return handler(event, Context())["status"]

    return call_once


@pytest.fixture
def asked(monkeypatch):
    """The texts of the queries that engines are asked for, in a list for each time that an engine
    of that name was opened.
    """
    asked: dict[str, list[list[str]]] = {}
    open_engine, run = AthenaEngine.open, AthenaQueryRunner.run

    def open_again(context, settings):
        asked.setdefault(context.token.partition("/")[2], []).append([])
        return open_engine(context, settings)

    def note(queries, text):
        asked[queries.token.partition("/")[2]][-1].append(text(1))
        return run(queries, text)

    monkeypatch.setattr(AthenaEngine, "open", open_again)
    monkeypatch.setattr(AthenaQueryRunner, "run", note)
    return asked


def require_same_order(calls: list[list[str]]) -> None:
    """Each call of a step asks for the queries of the call before, in their order, and more."""
    for earlier, later in itertools.pairwise(calls):
        assert later[: len(earlier)] == earlier


def test_a_step_that_is_called_again_asks_for_the_same_queries_in_the_same_order(call, asked):
    for step in IN_ORDER:
        call(step)

    steps = {name.partition("-")[0] for name in asked}
    assert steps == {"Curate", "Extract", "FilterExpiring", "StateCounts", "AlertExpiring"}
    for calls in asked.values():
        assert len(calls) > 1
        require_same_order(calls)


def test_what_was_asked_of_files_before_they_changed_is_asked_again(
    aws, run, call_once, monkeypatch
):
    def put(*snapshots):
        lines = (f'{{"facility_id": "f", "snapshot_date": "{day}"}}\n' for day in snapshots)
        aws.client("s3").put_object(
            Bucket=BUCKET, Key="root/raw/a.jsonl", Body="".join(lines).encode()
        )

    put("2026-01-01")
    assert call_once("Ingest") == "DONE"
    while not any("best" in query["Query"] for query in aws.queries()):
        assert call_once("Curate") == "RUNNING"
    put("2026-01-01", "2026-01-02")
    monkeypatch.setattr(step_runner, "QUERY_WAIT_S", 60.0)
    assert call_once("Curate") == "DONE"

    records = run.record.details["records"]
    assert (records["lines"], records["superseded"]) == (2, 1)


def test_what_was_asked_of_files_before_they_were_rewritten_is_asked_again(aws, run, call):
    """A line with several records is found when the queries have ended, by a later call."""
    body = b'{"facility_id": "a"}\n[{"facility_id": "b"}, {"facility_id": "c"}, 1]\nx\n'
    aws.client("s3").put_object(Bucket=BUCKET, Key="root/raw/a.jsonl", Body=body)

    for step in ("Ingest", "Curate"):
        assert call(step, sources=[f"{run.root.uri}/raw"]) >= 1

    records = run.record.details["records"]
    assert (records["lines"], records["accepted"], records["rejected"]) == (5, 3, 2)
    written = [each["Query"] for each in aws.queries() if each["Query"].startswith("UNLOAD")]
    assert len(written) == len(set(written)), "none was started twice"


def test_a_step_that_asks_for_other_queries_fails_rather_than_mix_them(call, monkeypatch):
    monkeypatch.setattr(StepContext, "options", property(_with_another_day_each_time()))
    call("Ingest")
    with pytest.raises(ERRORS["Bug"], match="HIVE_PATH_ALREADY_EXISTS"):
        call("Curate")


def _with_another_day_each_time():
    days, options = itertools.count(1), StepContext.options.func

    def another(context):
        day = datetime.date(2026, 1, 1) + datetime.timedelta(next(days))
        return replace(options(context), as_of=day)

    return another


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
