"""Steps that fail for a while, for good, or hang, and steps after which it no longer matters."""

import copy
import dataclasses
import json
import subprocess
import sys
import threading

import pytest

from healthpipe.alerts.channels import ConsoleChannel
from healthpipe.asl.concurrency import SystemClock
from healthpipe.asl.definition import load
from healthpipe.cancellation import cancel_on_stop, raise_if_cancelled
from healthpipe.errors import GateFailed, ServiceFailed, UsageError, exit_code_of
from healthpipe.runs.record import Execution
from healthpipe.runs.request import RunRequest
from healthpipe.workflow.orchestrate import RunEnvironment, orchestrate, pipeline_path
from healthpipe.workflow.step_runner import STEPS
from tests.faults.kills import RUN
from tests.faults.launching import CHECKOUT
from tests.faults.site import SECOND_DAY, require_recovered, require_whole

pytestmark = pytest.mark.slow

HURRY = 100
TIMEOUT_S = 30
BEFORE_PUBLISH = ("Ingest", "Curate", "Extract", "FilterExpiring", "StateCounts", "Audit")


class HurriedClock(SystemClock):
    """Whatever waits here waits a hundredth of its time."""

    def wait(self, event, seconds):
        return super().wait(event, None if seconds is None else seconds / HURRY)


@pytest.fixture
def site(bench, monkeypatch):
    site = bench.copy(bench.fresh)
    monkeypatch.chdir(site.folder)
    yield site
    site.remove()


@pytest.fixture
def sent(monkeypatch):
    """The subjects of the messages that the console was given."""
    subjects = []
    monkeypatch.setattr(ConsoleChannel, "send", lambda _, message: subjects.append(message.subject))
    return subjects


@pytest.fixture
def step(monkeypatch):
    """Have a step do something else, or something before it does its own."""

    def replace(name, perform):
        monkeypatch.setitem(STEPS, name, dataclasses.replace(STEPS[name], perform=perform))

    return replace


def run(machine=None):
    around = RunEnvironment(machine=machine, clock=HurriedClock())
    return orchestrate(RunRequest("data", as_of=SECOND_DAY), Execution.now(), around)


def run_that_fails(machine=None):
    """The exit code of a run that fails."""
    try:
        run(machine)
    except Exception as error:
        return exit_code_of(error)
    raise AssertionError("the run did not fail")


def with_timeout(*names):
    """The workflow with less time for some of its steps."""
    machine = copy.deepcopy(load(pipeline_path()))
    for states in _all_states(machine):
        for name in names:
            if name in states:
                states[name]["TimeoutSeconds"] = TIMEOUT_S
    return machine


def _all_states(machine):
    yield machine["States"]
    for state in machine["States"].values():
        for branch in state.get("Branches", []):
            yield from _all_states(branch)


def failing(name, errors):
    """The step, but first it raises these errors, one a call; and the number of its calls."""
    perform, calls = STEPS[name].perform, []

    def fail_first(work):
        calls.append(work.attempt.number)
        for error in errors:
            raise error
        return perform(work)

    return fail_first, calls


def steps_of(site):
    """What the last record says of its steps."""
    return {step["name"]: step for step in site.records[-1]["steps"]}


def abandoned(site):
    return [name for name, step in steps_of(site).items() if step["status"] == "abandoned"]


def require_next_run_succeeds(bench, site):
    site.let_time_pass()
    require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)


def require_failed(site, code):
    require_whole(site, (1,))
    record = site.records[-1]
    assert (record["status"], record["error"]["code"]) == ("failed", code)
    assert not [s for s in record["steps"] if s["status"] in ("running", "paused")]


@pytest.mark.parametrize("name", [*BEFORE_PUBLISH, "Publish"])
def test_a_step_that_fails_twice_works_the_third_time(site, bench, step, sent, name):
    errors = iter([ServiceFailed("no answer", "wait")] * 2)
    perform, calls = failing(name, errors)
    step(name, perform)

    record = run().record

    assert (record.status, calls) == ("succeeded", [1, 2, 3])
    assert steps_of(site)[name]["attempt"] == 3
    assert not [subject for subject in sent if "failed" in subject]
    require_whole(site, (2,))
    assert site.expected() == bench.expected


@pytest.mark.parametrize("name", [*BEFORE_PUBLISH, "Publish"])
def test_a_step_that_fails_for_good_fails_the_run_after_its_retries(site, bench, step, sent, name):
    perform, calls = failing(name, [ServiceFailed("no answer", "wait")])
    step(name, perform)

    assert run_that_fails() == 4

    assert calls == [1, 2, 3, 4]
    require_failed(site, "service_failed")
    assert sent == [f"healthpipe: run failed at {name} (service failed)"]
    require_next_run_succeeds(bench, site)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (GateFailed("too bad", "mend it"), 3, "gate_failed"),
        (UsageError("wrong", "mend it"), 2, "usage"),
        (ZeroDivisionError("a value"), 1, "bug"),
    ],
)
def test_what_a_retry_cannot_help_is_not_tried_again(site, bench, step, sent, error, code, told):
    perform, calls = failing("Audit", [error])
    step("Audit", perform)

    assert run_that_fails() == code

    assert calls == [1]
    require_failed(site, told)
    assert len(sent) == 1
    require_next_run_succeeds(bench, site)


@pytest.mark.parametrize("name", [*BEFORE_PUBLISH, "Publish"])
def test_a_step_that_hangs_is_given_up_and_what_it_does_later_counts_no_more(
    site, bench, step, sent, name
):
    release, ended, perform = threading.Event(), threading.Event(), STEPS[name].perform

    def hang(work):
        try:
            release.wait(60)
            return perform(work)
        finally:
            ended.set()

    step(name, hang)
    assert run_that_fails(with_timeout(name)) == 4

    require_failed(site, "timeout")
    assert name in abandoned(site)
    assert sent[0] in {f"healthpipe: run failed at {each} (timeout)" for each in abandoned(site)}
    before = site.records[-1]
    release.set()
    assert ended.wait(60)
    assert site.records[-1] == before
    require_whole(site, (1,))
    require_next_run_succeeds(bench, site)


def test_a_step_that_hangs_until_it_is_cancelled_ends_then(site, bench, step, sent):
    ended = threading.Event()

    def wait_to_be_cancelled(_):
        cancelled = threading.Event()
        with cancel_on_stop(cancelled.set):
            cancelled.wait(60)
        ended.set()
        raise_if_cancelled()

    step("Curate", wait_to_be_cancelled)
    assert run_that_fails(with_timeout("Curate")) == 4

    assert ended.wait(60)
    require_failed(site, "timeout")
    require_next_run_succeeds(bench, site)


def test_a_branch_that_hangs_does_not_hold_up_the_failure_of_another(site, bench, step, sent):
    is_hanging, release = threading.Event(), threading.Event()

    def hang(_):
        is_hanging.set()
        release.wait(60)

    def fail(_):
        assert is_hanging.wait(60)
        raise GateFailed("too bad", "mend it")

    step("FilterExpiring", hang)
    step("Extract", fail)
    assert run_that_fails() == 3

    require_failed(site, "gate_failed")
    assert steps_of(site)["FilterExpiring"]["status"] == "abandoned"
    assert sent == ["healthpipe: run failed at Extract (gate failed)"]
    release.set()
    require_next_run_succeeds(bench, site)


def broken(_):
    raise ZeroDivisionError


def test_a_run_whose_cleanup_fails_is_closed_and_told_of_all_the_same(site, bench, step, sent):
    step("Audit", failing("Audit", [GateFailed("too bad", "mend it")])[0])
    step("Cleanup", broken)

    assert run_that_fails() == 3

    require_failed(site, "gate_failed")
    assert sent == ["healthpipe: run failed at Audit (gate failed)"]
    require_next_run_succeeds(bench, site)


def test_a_plain_message_is_sent_when_the_one_that_tells_why_cannot_be_made(site, step, sent):
    step("Audit", failing("Audit", [GateFailed("too bad", "mend it")])[0])
    step("NotifyFailure", broken)

    assert run_that_fails() == 3

    require_failed(site, "gate_failed")
    assert sent == ["healthpipe: a run failed, and telling why failed too"]


@pytest.mark.parametrize("name", ["AlertExpiring", "NotifySuccess", "Finish"])
@pytest.mark.parametrize("error", [ZeroDivisionError(), ServiceFailed("no answer", "wait")])
def test_once_a_run_has_published_it_succeeds(site, bench, step, sent, name, error):
    step(name, failing(name, [error])[0])

    record = run().record

    assert (record.status, record.error) == ("succeeded", None)
    assert record.finished_at is not None
    assert steps_of(site)[name]["status"] == "failed"
    require_whole(site, (2,))


def test_a_process_ends_although_a_step_of_it_hangs_for_ever(site, bench):
    script = (
        "from tests.faults import disturbances; disturbances.hold_up('Curate', seconds=1);"
        "from healthpipe.cli.app import run; run()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *RUN, "--json"],
        env={"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 4, ended.stderr
    assert json.loads(ended.stdout)["status"] == "failed"
    require_failed(site, "timeout")
    require_next_run_succeeds(bench, site)
