"""The interpreter, case by case, against the Amazon States Language."""

import json
import threading
from unittest.mock import Mock

import pytest

from healthpipe.workflow import definition
from healthpipe.workflow.definition import InvalidDefinition
from healthpipe.workflow.interpreter import Interpreter, StateFailed
from healthpipe.workflow.steps import Steps

PATIENCE = 10  # seconds until a test that would hang fails
CONTEXT = {"Execution": {"Id": "run-7", "StartTime": "2026-11-20T06:00:00+00:00"}}
UNKNOWN = {"Assign": {"x": 1}}


class FakeTasks:
    """`echo` returns its argument, `answer` 42, `fail:X` fails with X; others are given."""

    def __init__(self, **given):
        self.given = given
        self.stopped = threading.Event()

    def call(self, resource, argument):
        if resource in self.given:
            return self.given[resource](argument)
        if resource.startswith("fail:"):
            raise StateFailed(resource.removeprefix("fail:"), "why")
        return {"echo": argument, "answer": 42}[resource]

    def stop(self):
        self.stopped.set()


def task(resource="answer", **fields):
    end = {} if "Next" in fields else {"End": True}
    return {"Type": "Task", "Resource": resource, **end, **fields}


def machine(first, **others):
    return {"StartAt": "First", "States": {"First": first, **others}}


def parallel(*branches, **fields):
    end = {} if "Next" in fields else {"End": True}
    return {"Type": "Parallel", "Branches": list(branches), **end, **fields}


def catch(*errors, to="Rescue", **fields):
    return {"ErrorEquals": list(errors), "Next": to, **fields}


def run(workflow, data=None, tasks=None):
    """The output of a workflow that is checked first, and the states that it entered."""
    definition.check(workflow, "the workflow")
    entered = []

    def watch(name, what):
        if what == "entered":
            entered.append(name)

    return Interpreter(tasks or FakeTasks(), CONTEXT, watch).run(workflow, data), entered


DONE = {"Type": "Succeed"}
ERROR = {"Error": "Transient", "Cause": "why"}
IN = {"a": {"b": 1}, "c": [1, 2]}


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [
        pytest.param(None, IN, id="without Parameters a task gets the whole input"),
        pytest.param({}, {}, id="empty Parameters are an empty object"),
        pytest.param({"x": "$.a", "n": 1}, {"x": "$.a", "n": 1}, id="plain fields are literal"),
        pytest.param({"x.$": "$"}, {"x": IN}, id="$ is the input"),
        pytest.param({"x.$": "$.a"}, {"x": {"b": 1}}, id="$.a is a field"),
        pytest.param({"x.$": "$.a.b"}, {"x": 1}, id="$.a.b is a field of a field"),
        pytest.param({"x.$": "$$.Execution.Id"}, {"x": "run-7"}, id="$$ is the context object"),
        pytest.param({"o": {"x.$": "$.a.b"}}, {"o": {"x": 1}}, id="objects are filled inside"),
        pytest.param({"l": [{"x.$": "$.c"}]}, {"l": [{"x": [1, 2]}]}, id="lists are filled inside"),
        pytest.param({"fee$": "$.a"}, {"fee$": "$.a"}, id="only names that end in .$ are paths"),
    ],
)
def test_a_task_gets_its_parameters(parameters, argument):
    fields = {} if parameters is None else {"Parameters": parameters}
    assert run(machine(task("echo", **fields)), IN) == (argument, ["First"])


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        pytest.param({}, 42, id="without ResultPath the result replaces the input"),
        pytest.param({"ResultPath": "$"}, 42, id="$ replaces the input"),
        pytest.param({"ResultPath": None}, {"a": 1}, id="null keeps the input"),
        pytest.param({"ResultPath": "$.r"}, {"a": 1, "r": 42}, id="$.name adds to the input"),
        pytest.param({"ResultPath": "$.a"}, {"a": 42}, id="$.name replaces a field"),
    ],
)
def test_a_result_goes_where_result_path_says(fields, output):
    assert run(machine(task(**fields)), {"a": 1})[0] == output
    branch = machine(DONE)
    both = run(machine(parallel(branch, branch, **fields)), {"a": 1})[0]
    assert both == json.loads(json.dumps(output).replace("42", '[{"a": 1}, {"a": 1}]'))


def test_states_follow_one_another_and_hand_on_their_output():
    workflow = machine(
        task(Next="Second", ResultPath="$.one"), Second=task("echo", Next="Third"), Third=DONE
    )
    workflow["States"]["Second"]["Parameters"] = {"got.$": "$.one"}
    assert run(workflow, {"kept": 0}) == ({"got": 42}, ["First", "Second", "Third"])


@pytest.mark.parametrize(
    ("catchers", "output"),
    [
        ([catch("Transient")], ERROR),
        ([catch("Bug", "Transient")], ERROR),
        ([catch("States.ALL")], ERROR),
        ([catch("Bug", to="Other"), catch("Transient")], ERROR),
        ([catch("Transient"), catch("States.ALL", to="Other")], ERROR),
        ([catch("Transient", ResultPath="$")], ERROR),
        ([catch("Transient", ResultPath="$.e")], {"a": 1, "e": ERROR}),
        ([catch("Transient", ResultPath=None)], {"a": 1}),
    ],
)
def test_the_first_catch_that_matches_takes_the_error(catchers, output):
    failing = task("fail:Transient", Catch=catchers)
    assert run(machine(failing, Rescue=DONE, Other=DONE), {"a": 1}) == (output, ["First", "Rescue"])
    branch = {"StartAt": "Inner", "States": {"Inner": task("fail:Transient")}}
    failing = parallel(branch, Catch=catchers)
    path = ["First", "Inner", "Rescue"]
    assert run(machine(failing, Rescue=DONE, Other=DONE), {"a": 1}) == (output, path)


@pytest.mark.parametrize(
    ("state", "error", "cause"),
    [
        pytest.param(task("fail:Bug"), "Bug", "why", id="a task without Catch"),
        pytest.param(task("fail:Bug", Catch=[catch("Bu")]), "Bug", "why", id="no Catch matches"),
        pytest.param({"Type": "Fail", "Error": "E", "Cause": "c"}, "E", "c", id="a Fail state"),
        pytest.param(parallel(machine(task("fail:Bug"))), "Bug", "why", id="a branch"),
    ],
)
def test_an_error_that_nothing_catches_fails_the_workflow(state, error, cause):
    with pytest.raises(StateFailed) as failure:
        run(machine(state, Rescue=DONE), {})
    assert failure.value.output() == {"Error": error, "Cause": cause}


@pytest.mark.parametrize(
    ("fields", "data", "error"),
    [
        ({"Parameters": {"x.$": "$.missing"}}, {"a": 1}, "States.ParameterPathFailure"),
        ({"Parameters": {"x.$": "$.a.b"}}, {"a": 1}, "States.ParameterPathFailure"),
        ({"Parameters": {"x.$": "$$.Nothing"}}, {"a": 1}, "States.ParameterPathFailure"),
        ({"ResultPath": "$.r"}, ["no object"], "States.ResultPathMatchFailure"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error_of_the_state(fields, data, error):
    with pytest.raises(StateFailed) as failure:
        run(machine(task(**fields)), data)
    assert failure.value.error == error


def test_branches_run_at_the_same_time_and_answer_in_their_order():
    meeting, last_is_through = threading.Barrier(3, timeout=PATIENCE), threading.Event()

    def meet(number):
        meeting.wait()  # breaks unless all three are here at once
        if number == 2:
            last_is_through.set()
        assert last_is_through.wait(PATIENCE)
        return number

    branches = (machine(task("meet", Parameters=number)) for number in range(3))
    assert run(machine(parallel(*branches)), {}, FakeTasks(meet=meet))[0] == [0, 1, 2]


def test_branches_do_not_see_each_others_changes():
    spoil = task("spoil", Parameters={"x.$": "$.a"}, ResultPath=None)
    tasks = FakeTasks(spoil=lambda argument: argument["x"].clear())
    workflow = machine(parallel(machine(spoil), machine(DONE), ResultPath=None))
    assert run(workflow, {"a": {"b": 1}}, tasks)[0] == {"a": {"b": 1}}


def run_with_a_failing_branch():
    """Two branches: one fails while the other is in its first state of two."""
    begun, continued = threading.Event(), []

    def fail(_):
        assert begun.wait(PATIENCE)
        raise StateFailed("GateFailed", "first")

    def long_work(_):
        begun.set()
        tasks.stopped.wait(PATIENCE)

    tasks = FakeTasks(fail=fail, long=long_work, more=continued.append)
    going_on = machine(task("long", Next="More"), More=task("more"))
    with pytest.raises(StateFailed) as failure:
        run(machine(parallel(going_on, machine(task("fail")))), {}, tasks)
    return tasks.stopped.is_set(), failure.value.error, len(continued)


def test_a_branch_that_fails_stops_the_others_and_fails_the_state():
    stopped, error, _ = run_with_a_failing_branch()
    assert (stopped, error) == (True, "GateFailed")


def test_a_stopped_branch_enters_no_further_state():
    assert run_with_a_failing_branch()[2] == 0


SOUND = machine(task(Next="End", Catch=[catch("States.ALL", to="End")]), End=DONE)


# fmt: off
REFUSED = {
    "an unknown field of the machine": SOUND | {"Version": "2.0"},
    "no StartAt": {"States": {"First": DONE}},
    "no States": {"StartAt": "First"},
    "StartAt leads nowhere": SOUND | {"StartAt": "Nowhere"},
    "Next leads nowhere": machine(task(Next="Nowhere")),
    "Next leads out of a branch": machine(parallel(machine(task(Next="Out"))), Out=DONE),
    "Catch leads nowhere": machine(task(Catch=[catch("E", to="Nowhere")])),
    "Catch without Next": machine(task(Catch=[{"ErrorEquals": ["E"]}])),
    "Catch without ErrorEquals": machine(task(Catch=[{"Next": "First"}])),
    "an unknown field of a Catch": machine(task(Catch=[catch("E", to="First", **UNKNOWN)])),
    "an unknown type": machine({"Type": "Activity", "End": True}),
    "no type": machine({"End": True}),
    "an unknown field of a Task": machine(task(**UNKNOWN)),
    "an unknown field of a Parallel": machine(parallel(SOUND, **UNKNOWN)),
    "an unknown field of a Succeed": machine(DONE | UNKNOWN),
    "End at a Succeed": machine(DONE | {"End": True}),
    "Next at a Fail": machine({"Type": "Fail", "Next": "First"}),
    "both Next and End": machine(task(Next="First") | {"End": True}),
    "neither Next nor End": machine({"Type": "Task", "Resource": "r"}),
    "an End that is false": machine(task(End=False)),
    "a Task without Resource": machine({"Type": "Task", "End": True}),
    "a Parallel without Branches": machine({"Type": "Parallel", "End": True}),
    "a parameter that is no path": machine(task(Parameters={"x.$": "no path"})),
    "a path of an unknown kind": machine(task(Parameters={"x.$": "$.a[0]"})),
    "an unknown intrinsic": machine(task(Parameters={"x.$": "States.UUID()"})),
} | {
    f"ResultPath {path!r} of {where}": machine(
        task(ResultPath=path) if where == "Task" else task(Catch=[catch("E", ResultPath=path)]),
        Rescue=DONE,
    )
    for path in ("", "name", "$.", "$.a.b", "$.a[0]", "$$.a", 7)
    for where in ("Task", "Catch")
}
# fmt: on


@pytest.mark.parametrize("place", ["at the top", "in a branch"])
@pytest.mark.parametrize("workflow", REFUSED.values(), ids=REFUSED)
def test_a_workflow_that_cannot_run_as_written_is_refused_when_loaded(place, workflow, tmp_path):
    def load(inner):
        outer = inner if place == "at the top" else machine(parallel(machine(DONE), inner))
        (tmp_path / "workflow.json").write_text(json.dumps(outer))
        return definition.load(tmp_path / "workflow.json")

    assert load(SOUND)
    with pytest.raises(InvalidDefinition):
        load(workflow)


def all_states(workflow):
    for state in workflow["States"].values():
        yield state
        for branch in state.get("Branches", []):
            yield from all_states(branch)


def test_the_pipeline_has_only_fields_that_the_interpreter_knows():
    for state in all_states(definition.load(definition.pipeline_path())):
        assert set(state) <= definition.FIELDS[state["Type"]]
        for catcher in state.get("Catch", []):
            assert set(catcher) <= definition.CATCHER_FIELDS


def test_every_task_of_the_pipeline_names_a_known_step():
    known = Steps(Mock(), Mock(), Mock()).by_name
    states = list(all_states(definition.load(definition.pipeline_path())))
    tasks = [state for state in states if state["Type"] == "Task"]
    steps = [state["Parameters"]["Payload"]["step"] for state in tasks]
    assert {"Ingest", "Curate", "Extract", "FilterExpiring", "StateCounts"} < set(steps)
    assert set(steps) <= set(known)
