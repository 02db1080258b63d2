"""The packaged workflow in Step Functions, as moto plays them, calling the real handler."""

import itertools
import json
from types import SimpleNamespace

import pytest

from healthpipe.alerts.channels import ConsoleChannel
from healthpipe.errors import GateFailed, ServiceFailed
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.locks import RootLock
from healthpipe.runs.run import runs_of
from healthpipe.storage.layout import Root
from healthpipe.workflow import step_runner
from healthpipe.workflow.lambda_handler import ERRORS, handler
from healthpipe.workflow.orchestrate import pipeline_path
from healthpipe.workflow.policy import policy_violations
from tests.conftest import AS_OF

MACHINE = json.loads(pipeline_path().read_text())
HOUR = SimpleNamespace(get_remaining_time_in_millis=lambda: 3_600_000)


def invoke(_, body, headers):
    """What AWS Lambda answers when the handler is its function."""
    try:
        return json.dumps(handler(json.loads(body), HOUR)).encode()
    except tuple(ERRORS.values()) as error:
        headers["x-amz-function-error"] = "Unhandled"
        told = {"errorType": type(error).__name__, "errorMessage": str(error)}
        return json.dumps(told).encode()


@pytest.fixture
def sent(monkeypatch):
    """The messages that were sent."""
    taken = []
    monkeypatch.setattr(ConsoleChannel, "send", lambda _, message: taken.append(message))
    return taken


@pytest.fixture
def execute(tmp_path, examples, sent):
    """Run the packaged workflow on the examples; the names of the states that it entered."""
    # moto's EC2 comes with it: a second of each process that collects tests.
    from tests.asl.cases.second_opinion import PATIENCE, step_functions

    mornings = itertools.count(1)
    with step_functions() as moto:
        moto.invoke = invoke
        arn = moto._create(MACHINE)

        def run(**request):
            given = {
                "root": str(tmp_path / "data"),
                "sources": [str(examples)],
                "as_of": AS_OF,
                **request,
            }
            moto._ended.clear()
            name = f"morning-{next(mornings)}"
            execution = moto._client.start_execution(
                stateMachineArn=arn, name=name, input=json.dumps(given)
            )
            assert moto._ended.wait(PATIENCE)
            told = moto._client.get_execution_history(
                executionArn=execution["executionArn"], maxResults=1000
            )
            entered = [event.get("stateEnteredEventDetails") for event in told["events"]]
            return [details["name"] for details in entered if details]

        yield run


@pytest.fixture
def root(tmp_path):
    return Root(str(tmp_path / "data"))


def the_run(root):
    (run,) = runs_of(root)
    return run


def without_branches(path):
    return [state for state in path if not state.startswith(("Extract", "Filter", "StateC"))]


def test_it_keeps_the_rules_of_the_project():
    assert policy_violations(MACHINE) == []


def test_a_good_execution_publishes(execute, root):
    path = execute()

    assert without_branches(path) == [
        "Ingest", "IngestStatus", "Curate", "CurateStatus", "Stages", "Audit", "Publish",
        "PublishStatus", "AlertExpiring", "NotifySuccess", "Finish", "Done",
    ]  # fmt: skip
    assert the_run(root).record.status == "succeeded"
    assert read_live(root).run_id == the_run(root).run_id
    assert RootLock.of(root).holder() is None


def test_an_execution_over_the_same_files_finds_nothing_to_do(execute, root):
    execute()
    assert execute() == [
        "Ingest", "IngestStatus", "AlertExpiring", "NotifySuccess", "Finish", "Done",
    ]  # fmt: skip
    assert read_live(root).generation == 1


def test_an_execution_that_finds_another_at_work_ends_well(execute, root):
    RootLock.of(root).acquire("another")
    assert execute() == ["Ingest", "IngestStatus", "AnotherRunActive"]
    RootLock.of(root).release("another")
    assert runs_of(root) == []


@pytest.mark.pitfall(45)
@pytest.mark.parametrize(
    ("step", "error", "tries"),
    [
        ("Curate", ServiceFailed("the disk is full", "free space"), 4),
        ("Audit", GateFailed("too many rejects", "look"), 1),
        ("StateCounts", KeyError("x"), 1),
    ],
)
def test_a_failing_execution_cleans_up_tells_and_fails(
    execute, root, step_spy, sent, step, error, tries
):
    step_spy.failing[step] = error

    path = execute()

    assert path[-3:] == ["Cleanup", "NotifyFailure", "Failed"]
    assert step_spy.names.count(step) == tries
    record = the_run(root).record
    assert record.status == "failed"
    assert record.error["code"] == getattr(error, "code", "bug")
    assert [message.subject.partition(" (")[0] for message in sent] == [
        f"healthpipe: run failed at {step}"
    ]
    assert read_live(root).document == {}
    assert RootLock.of(root).holder() is None


def test_a_step_that_is_not_done_yet_is_called_again(execute, root, step_spy):
    step_spy.pausing["Curate"] = 2
    path = execute()
    assert path.count("WaitForCurate") == 2
    assert the_run(root).record.status == "succeeded"


def test_when_telling_fails_the_plain_message_is_sent(execute, step_spy):
    step_spy.failing["Curate"] = GateFailed("x", "y")
    step_spy.failing["NotifyFailure"] = KeyError("x")
    assert execute()[-4:] == ["Cleanup", "NotifyFailure", "NotifyPlainly", "Failed"]


@pytest.mark.parametrize("step", ["AlertExpiring", "NotifySuccess", "Finish"])
def test_once_published_an_execution_succeeds(execute, root, step_spy, step):
    step_spy.failing[step] = KeyError("x")
    assert execute()[-1] == "Done"
    assert read_live(root).generation == 1
    if step == "Finish":  # as for a process that died: the next run closes it
        run = the_run(root)
        run.release()
        RootLock.of(root).release(run.run_id)


def test_the_steps_that_the_file_calls_are_those_that_there_are():
    assert {
        state["Parameters"]["Payload"]["step"]
        for state in _tasks(MACHINE)
        if "lambda" in state["Resource"]
    } == set(step_runner.STEPS)


def _tasks(machine):
    for state in machine["States"].values():
        if state["Type"] == "Task":
            yield state
        for branch in state.get("Branches", []):
            yield from _tasks(branch)
