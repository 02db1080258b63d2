"""What runs at the same time: branches, tasks that are given up, and the signals that end a run."""

import os
import signal
import threading
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

import pytest

from healthpipe.asl.concurrency import SystemClock
from healthpipe.asl.errors import StateFailed
from healthpipe.asl.interpreter import Interpreter
from healthpipe.cancellation import Deadline
from healthpipe.errors import Interrupted, OutOfTime
from tests.asl.cases.building import DONE, branch, machine, parallel, pass_, retry, task
from tests.asl.cases.ours import observe, record_path
from tests.asl.cases.virtual_time import PATIENCE, FakeClock


class Doing:
    """Tasks that are functions of this test, each given its argument and its limit."""

    def __init__(self, **functions):
        self.functions = functions

    def call(self, resource, argument, limit):
        return self.functions[resource.rpartition(":")[2]](argument, limit)


def run(workflow, data=None, clock=None, **functions):
    return observe(workflow, data, Doing(**functions), clock=clock)


def fail(*_):
    raise StateFailed("GateFailed", "first")


def test_branches_run_at_the_same_time_and_answer_in_their_order():
    meeting, last_is_through = threading.Barrier(3, timeout=PATIENCE), threading.Event()

    def meet(argument, _):
        meeting.wait()  # breaks unless all three are here at once
        if argument["n"] == 2:
            last_is_through.set()
        assert last_is_through.wait(PATIENCE)
        return argument["n"]

    branches = (branch(f"B{n}", task("meet", Parameters={"n": n})) for n in range(3))
    assert run(machine(parallel(*branches)), meet=meet).output == [0, 1, 2]


def test_a_task_that_changes_its_argument_changes_nothing_else():
    spoil = task("spoil", Parameters={"x.$": "$.a"}, ResultPath=None)
    workflow = machine(parallel(branch("In", spoil), branch("Other", DONE)))
    observed = run(workflow, {"a": {"b": 1}}, spoil=lambda argument, _: argument["x"].clear())
    assert observed.output == [{"a": {"b": 1}}] * 2


def test_a_task_that_changes_its_result_later_changes_nothing_else():
    kept = []

    def keep(_, __):
        kept.append({"a": 1})
        return kept[0]

    def spoil(_, __):
        kept[0].clear()

    workflow = machine(task("keep", Next="Second"), Second=task("spoil", ResultPath=None))
    assert run(workflow, keep=keep, spoil=spoil).output == {"a": 1}


def with_a_failing_branch(long_work, **functions):
    """Two branches: one fails while the other is in its first state of two."""
    begun = threading.Event()

    def fail_then(*_):
        assert begun.wait(PATIENCE)
        fail()

    def work(argument, limit):
        begun.set()
        return long_work(limit)

    going_on = branch("Long", task("work", Next="More"), More=task("more"))
    workflow = machine(parallel(going_on, branch("Quick", task("fail_then"))))
    clock = functions.pop("clock", None) or FakeClock()
    given = {"work": work, "fail_then": fail_then, "more": lambda *_: None} | functions
    return run(workflow, clock=clock, **given)


def test_a_branch_that_fails_stops_the_others_and_fails_the_state():
    stopped = []

    def long_work(limit):
        stopped.append(limit.is_cancelled.wait(PATIENCE))

    observed = with_a_failing_branch(long_work)
    assert (observed.error, observed.state, stopped) == ("GateFailed", "Quick", [True])


def test_a_stopped_branch_enters_no_further_state_and_fails_the_parallel_state():
    stopped = []
    observed = with_a_failing_branch(
        lambda limit: stopped.append(limit.is_cancelled.wait(PATIENCE)),
        more=lambda *_: pytest.fail("a stopped branch goes on"),
    )
    assert Counter(observed.path) == Counter(["First", "Long", "Quick"])
    assert stopped == [True]
    assert observed.error == "GateFailed"


def test_a_branch_that_goes_in_circles_is_stopped_too():
    circle = branch("Round", pass_(Next="Again"), Again=pass_(Next="Round"))
    observed = run(machine(parallel(circle, branch("Quick", task("fail")))), fail=fail)
    entered = list(observed.path)
    assert (observed.error, observed.state) == ("GateFailed", "Quick")
    wait_for(lambda: not branch_threads())
    assert observed.path == entered


def branch_threads():
    return [each for each in threading.enumerate() if each.name.startswith("branch ")]


def test_what_a_stopped_task_raises_does_not_hide_the_first_error():
    def long_work(limit):
        limit.is_cancelled.wait(PATIENCE)
        raise OutOfTime

    assert with_a_failing_branch(long_work).error == "GateFailed"


def test_a_task_that_does_not_stop_is_left_to_itself_after_a_second():
    clock, ended = FakeClock(), threading.Event()

    def long_work(_):
        clock.wait(ended, None)

    began = clock.now()
    assert with_a_failing_branch(long_work, clock=clock).error == "GateFailed"
    assert (clock.now() - began).total_seconds() == 1
    ended.set()


def test_a_branch_that_is_left_to_itself_enters_no_further_state():
    clock, ended = FakeClock(), threading.Event()
    observed = with_a_failing_branch(
        lambda _: clock.wait(ended, None),
        clock=clock,
        more=lambda *_: pytest.fail("a branch that was left to itself goes on"),
    )
    entered = list(observed.path)
    ended.set()
    wait_for(lambda: not branch_threads())
    assert observed.path == entered
    assert "More" not in entered


def test_a_branch_that_fails_stops_the_branches_inside_those_beside_it():
    both, stopped = threading.Barrier(3, timeout=PATIENCE), []

    def wait(_, limit):
        both.wait()
        stopped.append(limit.is_cancelled.wait(PATIENCE))

    def fail_then(*_):
        both.wait()
        fail()

    def deep(name):
        return branch(name, task("wait", Next=f"{name}More"), **{f"{name}More": DONE})

    workflow = machine(
        parallel(
            branch("Outer", parallel(deep("Deep"), deep("Deep2"))),
            branch("Quick", task("fail_then")),
        )
    )
    observed = run(workflow, wait=wait, fail_then=fail_then)
    assert observed.error == "GateFailed"
    assert stopped == [True, True]
    assert not {"DeepMore", "Deep2More"} & set(observed.path)


def test_a_task_whose_time_is_over_is_given_up_at_once_and_told_to_stop():
    clock, cancelled, ended = FakeClock(), [], threading.Event()

    def slow(_, limit):
        clock.wait(ended, None)
        cancelled.append(limit.is_cancelled.is_set())

    began = clock.now()
    observed = run(machine(task("slow", TimeoutSeconds=7)), clock=clock, slow=slow)
    assert observed.error == "States.Timeout"
    assert (clock.now() - began).total_seconds() == 7
    ended.set()
    wait_for(lambda: cancelled == [True])


def wait_for(condition):
    assert any(condition() or threading.Event().wait(0.001) for _ in range(PATIENCE * 1000))


def test_what_a_task_that_was_given_up_does_later_has_no_effect():
    clock, first, over = FakeClock(), [], threading.Event()

    def slow(_, __):
        if not first:
            first.append(True)
            clock.wait(over, None)
            raise RuntimeError
        over.set()
        return "second"

    workflow = machine(task("slow", TimeoutSeconds=7, Retry=[retry("States.Timeout")]))
    observed = run(workflow, clock=clock, slow=slow)
    assert (observed.output, observed.delays) == ("second", [1])


def test_a_task_is_told_how_long_it_may_take():
    limits = []
    workflow = machine(task("note", TimeoutSeconds=7, Next="Second"), Second=task("note"))
    run(workflow, note=lambda _, limit: limits.append(limit.remaining()))
    assert 0 < limits[0] <= 7
    assert limits[1] is None


def test_an_error_of_a_task_that_noticed_its_time_is_over_is_a_timeout(monkeypatch):
    monkeypatch.setattr(Deadline, "remaining", lambda _: 0.0)

    def slow(_, limit):
        limit.raise_if_reached()

    assert run(machine(task("slow", TimeoutSeconds=7)), slow=slow).error == "States.Timeout"
    assert run(machine(task("slow", TimeoutSeconds=7)), slow=fail).error == "States.Timeout"


def test_a_task_sees_the_context_variables_of_the_caller():
    variable = ContextVar("variable")
    variable.set("seen")
    workflow = machine(parallel(branch("In", task("get"))))
    assert run(workflow, get=lambda *_: variable.get()).output == ["seen"]


@pytest.mark.parametrize("place", ["at the top", "in a branch"])
@pytest.mark.parametrize("error", [Interrupted(15), RuntimeError("a bug"), KeyboardInterrupt()])
def test_whatever_is_no_failure_of_a_state_comes_out_as_it_is(place, error):
    def break_(*_):
        raise error

    inner = branch("In", task("break", Retry=[retry("States.ALL")]))
    workflow = inner if place == "at the top" else machine(parallel(branch("Other", DONE), inner))
    with pytest.raises(type(error)) as raised:
        run(workflow, **{"break": break_})
    assert raised.value is error


def test_a_bug_goes_before_the_failure_of_another_branch():
    def long_work(limit):
        limit.is_cancelled.wait(PATIENCE)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with_a_failing_branch(long_work)


@contextmanager
def signalled(error):
    """SIGUSR1 raises an error in the main thread."""

    def handle(*_):
        raise error

    previous = signal.signal(signal.SIGUSR1, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, previous)


@pytest.mark.parametrize("place", ["a task", "a branch", "a wait"])
def test_a_signal_ends_a_run_that_waits(place):
    """With the real clock: the main thread has to wake, and what runs is told to stop."""
    begun, stopped = threading.Event(), []

    def work(_, limit):
        begun.set()
        stopped.append(limit.is_cancelled.wait(PATIENCE))

    def send():
        assert begun.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGUSR1)

    long = task("work", TimeoutSeconds=PATIENCE)
    waiting = pass_(Next="Long")
    workflow = {
        "a task": machine(long),
        "a branch": machine(parallel(branch("Long", long), branch("Other", DONE))),
        "a wait": machine(waiting, Long={"Type": "Wait", "Seconds": PATIENCE, "End": True}),
    }[place]
    path = []

    class NotedClock(SystemClock):
        def wait(self, event, seconds):
            if path[-1] == "Long" and place == "a wait":
                begun.set()
            return super().wait(event, seconds)

    sender = threading.Thread(target=send)
    sender.start()
    error = Interrupted(signal.SIGUSR1)
    interpreter = Interpreter(Doing(work=work), {}, clock=NotedClock())
    with signalled(error), pytest.raises(Interrupted) as raised:
        interpreter.run(record_path(workflow, path), {})
    sender.join()
    assert raised.value is error
    assert stopped == ([] if place == "a wait" else [True])
    # Whether the other branch was entered before the signal came is not settled.
    entered = {"a task": ["First"], "a branch": ["First", "Long"], "a wait": ["First", "Long"]}
    assert sorted(set(path) - {"Other"}) == entered[place]
    assert path[-1] in (("Long", "Other") if place == "a branch" else (entered[place][-1],))
    wait_for(lambda: not branch_threads())


def test_the_time_of_the_machine_cuts_a_wait_short():
    clock = FakeClock()
    began = clock.now()
    workflow = machine({"Type": "Wait", "Seconds": 99, "End": True}) | {"TimeoutSeconds": 9}
    assert run(workflow, clock=clock).error == "States.Timeout"
    assert (clock.now() - began).total_seconds() == 9


def test_a_task_that_ends_after_the_run_enters_no_further_state():
    clock, over, ended = FakeClock(), threading.Event(), []

    def work(_, __):
        clock.wait(over, None)
        ended.append(True)

    workflow = machine(task("work", TimeoutSeconds=1, Next="Second"), Second=DONE)
    observed = run(workflow, clock=clock, work=work)
    assert (observed.error, observed.path) == ("States.Timeout", ["First"])
    over.set()
    wait_for(lambda: ended)
    assert observed.path == ["First"]


def test_a_retried_task_and_a_wait_go_on_to_the_next_state():
    answers = iter([StateFailed("Transient", "why"), None])

    def flaky(*_):
        if answer := next(answers):
            raise answer
        return 1

    workflow = machine(
        task("flaky", Retry=[retry("Transient")], Next="Pause"),
        Pause={"Type": "Wait", "Seconds": 3, "Next": "Done"},
        Done=DONE,
    )
    observed = run(workflow, flaky=flaky)
    assert observed.path == ["First", "Pause", "Done"]
    assert next(answers, "all used") == "all used"
    assert (observed.output, observed.error) == (1, None)
    assert observed.state == "Done"
    assert observed.delays == [1, 3]


@pytest.mark.parametrize("seconds", [0, 0.01, -1])
def test_the_system_clock_waits_no_longer_than_asked(seconds):
    clock, event = SystemClock(), threading.Event()
    began = clock.now()
    assert not clock.wait(event, seconds)
    assert 0 <= (clock.now() - began).total_seconds() - max(seconds, 0) < PATIENCE
    assert clock.now().utcoffset() == timedelta(0)


@pytest.mark.parametrize("seconds", [None, PATIENCE, 1e12])
def test_the_system_clock_waits_until_the_event(seconds):
    clock, event = SystemClock(), threading.Event()
    event.set()
    assert clock.wait(event, seconds)
