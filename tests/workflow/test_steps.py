"""One call of a step: what the Lambda handler does, and the local workflow through it."""

import json
from dataclasses import asdict, replace

import pytest

from healthpipe import errors
from healthpipe.errors import HealthpipeError
from healthpipe.ingest import lander
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.attempts import Attempt
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import Execution
from healthpipe.runs.run import Run, runs_of
from healthpipe.stages import compute
from healthpipe.storage.layout import Root
from healthpipe.workflow import step_runner
from healthpipe.workflow.lambda_handler import ERRORS, handler
from healthpipe.workflow.step_runner import STEPS
from tests.conftest import AS_OF

EXECUTION = {"id": "arn:aws:states:x:execution:nightly", "start": "2026-02-15T05:00:07.123Z"}
IN_ORDER = [
    "Ingest", "Curate", "Extract", "FilterExpiring", "StateCounts", "Audit", "Publish",
    "AlertExpiring", "NotifySuccess", "Finish",
]  # fmt: skip


class Context:
    """What AWS Lambda hands to a handler."""

    def __init__(self, seconds=900.0):
        self.seconds = seconds

    def get_remaining_time_in_millis(self):
        return int(self.seconds * 1000)


@pytest.fixture
def root(tmp_path, examples):
    yield (root := Root(str(tmp_path / "data")))
    run = Execution.from_json(EXECUTION).run_id
    RootLock.of(root).release(run)
    if Run(root, run).exists:
        Run(root, run).release()


@pytest.fixture
def call(root, examples):
    def call(step, seconds=900.0, error=None, **request):
        request = {"root": root.uri, "sources": [str(examples)], **request}
        event = {"step": step, "execution": EXECUTION, "request": request, "error": error}
        return handler(json.loads(json.dumps(event)), Context(seconds))["status"]

    return call


def the_run(root):
    return Run(root, Execution.from_json(EXECUTION).run_id)


def test_the_steps_one_after_the_other_publish_a_run(call, root):
    assert [call(step) for step in IN_ORDER] == ["DONE"] * len(IN_ORDER)

    run = the_run(root)
    assert run.record.status == "succeeded"
    assert (read_live(root).run_id, read_live(root).generation) == (run.run_id, 1)
    assert run.record.as_of.isoformat() == AS_OF, "the day on which the execution started"
    assert RootLock.of(root).holder() is None


def test_an_event_and_an_answer_carry_references_and_no_data(call, root):
    for step in IN_ORDER[:5]:
        call(step)
    assert "facility" not in json.dumps(the_run(root).record.details["request"])


def test_a_step_that_is_done_is_not_done_again(call, monkeypatch):
    call("Ingest")
    again = replace(STEPS["Ingest"], perform=lambda _: pytest.fail("done again"))
    monkeypatch.setitem(step_runner.STEPS, "Ingest", again)
    assert call("Ingest") == "DONE"


def test_while_another_run_is_at_work_ingest_says_so_and_begins_nothing(call, root):
    RootLock.of(root).acquire("another")
    assert call("Ingest") == "LOCKED"
    assert runs_of(root) == []
    RootLock.of(root).release("another")


def _kinds(base):
    return {base, *(kind for direct in base.__subclasses__() for kind in _kinds(direct))}


def test_every_expected_error_has_one_of_four_names(monkeypatch):
    assert set(ERRORS) == {"Transient", "GateFailed", "Misconfigured", "Bug"}
    names = {kind.workflow_name for kind in _kinds(HealthpipeError)}
    assert names <= set(ERRORS)


@pytest.mark.parametrize(
    ("error", "name", "code"),
    [
        (errors.ServiceFailed("the disk is full", "free space"), "Transient", "service_failed"),
        (OSError(28, "No space left on device"), "Transient", "service_failed"),
        (errors.GateFailed("too many", "look"), "GateFailed", "gate_failed"),
        (errors.PublishConflict("theirs", "look"), "GateFailed", "publish_conflict"),
        (errors.UsageError("no", "mend"), "Misconfigured", "usage"),
        (errors.Imbalance("3 and 2", "report"), "Bug", "imbalance"),
        (KeyError("SECRET"), "Bug", "bug"),
    ],
)
def test_an_error_is_let_out_under_its_name_with_its_description(
    call, root, monkeypatch, error, name, code
):
    def fail(_):
        raise error

    monkeypatch.setitem(step_runner.STEPS, "Ingest", replace(STEPS["Ingest"], perform=fail))
    with pytest.raises(ERRORS[name]) as raised:
        call("Ingest")
    assert type(raised.value).__name__ == name
    assert json.loads(str(raised.value))["code"] == code
    (step,) = the_run(root).record.steps
    assert (step.status, step.error["code"]) == ("failed", code)
    assert "SECRET" not in json.dumps(the_run(root).record.to_json(), default=str)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"step": "Ingest"},
        {"step": "Guess", "execution": EXECUTION, "request": {"root": "data"}},
        {"step": "Ingest", "execution": EXECUTION, "request": {}},
        {"step": "Ingest", "execution": EXECUTION, "request": {"root": "data", "speed": 9}},
        {"step": "Ingest", "execution": {"id": "x", "start": "now"}, "request": {"root": "data"}},
        {"step": "Ingest", "execution": EXECUTION, "request": {"root": "data", "engine": "x"}},
        {
            "step": "Ingest",
            "execution": EXECUTION,
            "request": {"root": "data", "words": {"months": 1, "days": 1}},
        },
    ],
)
def test_an_event_that_is_no_call_of_a_step_is_a_misconfiguration(event, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ERRORS["Misconfigured"]):
        handler(event, Context())
    RootLock.of(Root("data")).release(Execution.from_json(EXECUTION).run_id)


def test_ingest_near_its_deadline_goes_on_when_it_is_called_again(call, root, examples):
    for number in range(6):
        (examples / f"{number}.json").write_text(f'[{{"facility_id": "N{number}"}}]')
    landed = []
    real = lander.land_container

    def land_two(content, target):
        if len(landed) == stop_after:
            raise errors.OutOfTime
        landed.append(target)
        return real(content, target)

    lander.land_container = land_two
    try:
        stop_after = 2
        assert call("Ingest") == "RUNNING"
        stop_after = 5
        assert call("Ingest") == "RUNNING"
        stop_after = 6
        assert call("Ingest") == "DONE"
    finally:
        lander.land_container = real

    assert sorted(landed) == sorted(set(landed)), "no file is landed twice"
    assert call("Curate") == "DONE"
    assert the_run(root).record.details["records"]["lines"] == 73 + 6


def test_a_step_that_comes_no_further_in_its_time_fails_and_is_not_tried_for_ever(call, root):
    call("Ingest")
    with pytest.raises(ERRORS["Misconfigured"]) as raised:
        call("Curate", seconds=0.001)
    assert json.loads(str(raised.value))["code"] == "out_of_time"
    assert call("Curate") == "DONE"
    assert Attempt.last(the_run(root), "Curate").number == 2


def test_a_step_that_was_stopped_after_a_part_goes_on_with_the_rest(call, root, monkeypatch):
    call("Ingest")
    real = compute.account

    def out_of_time(*_, **__):
        raise errors.OutOfTime

    monkeypatch.setattr("healthpipe.stages.compute.account", out_of_time)
    assert call("Curate") == "RUNNING"
    monkeypatch.setattr("healthpipe.stages.compute.account", real)
    assert call("Curate") == "DONE"
    (segment,) = root.storage.folders(root.curated)
    assert segment.endswith(the_run(root).run_id)


def test_publishing_goes_on_with_the_files_that_are_not_there_yet(call, root, monkeypatch):
    for step in IN_ORDER[:6]:
        call(step)
    calls = []

    def stop_at_the_third():
        calls.append(1)
        if len(calls) == 3:
            raise errors.OutOfTime

    monkeypatch.setattr("healthpipe.workflow.steps.release.raise_if_cancelled", stop_at_the_third)
    assert call("Publish") == "RUNNING"
    assert read_live(root).document == {}
    assert call("Publish") == "DONE"
    assert len(read_live(root).document["files"]) == 4


def test_killed_between_the_flip_and_its_note_publish_finds_its_own_flip(call, root):
    for step in IN_ORDER[:7]:
        call(step)
    run, flipped = the_run(root), read_live(root)
    published = Attempt.last(run, "Publish")
    document = run.read_json("steps/Publish.json") | {"result": None, "status": "running"}
    run.write_json("steps/Publish.json", document)

    assert [call("Audit"), call("Publish")] == ["DONE", "DONE"]
    assert read_live(root) == flipped
    assert Attempt.last(run, "Publish").result == published.result


@pytest.mark.parametrize("failed", ["Ingest", "Curate", "Publish"])
def test_cleanup_closes_the_run_and_gives_back_the_lock(call, root, failed):
    for step in IN_ORDER[: IN_ORDER.index(failed)]:
        call(step)
    described = {"code": "service_failed", "message": "the disk is full", "hint": "free space"}
    cause = {"errorMessage": json.dumps(described), "errorType": "Transient", "stackTrace": []}
    error = {"Error": "Transient", "Cause": json.dumps(cause)}

    assert call("Cleanup", error=error) == "DONE"
    assert call("NotifyFailure", error=error) == "DONE"

    assert RootLock.of(root).holder() is None
    if failed != "Ingest":
        assert (the_run(root).record.status, the_run(root).record.error) == ("failed", described)
        assert not the_run(root).scratch.exists()


def test_a_request_is_the_same_after_a_way_through_json():
    from healthpipe.publishing.gates import RawGates
    from healthpipe.runs.request import RunRequest
    from healthpipe.stages.options import RawOptions

    options, gates = RawOptions(months=3), RawGates(max_drop="5%")
    request = RunRequest("data", ("a", "b"), raw_options=options, gates=gates, keep=3)
    again = RunRequest.from_json(json.loads(json.dumps(request.to_json())))
    assert asdict(again) == asdict(request)
