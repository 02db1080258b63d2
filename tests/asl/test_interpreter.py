"""The interpreter, case by case, against the Amazon States Language."""

import json
import uuid
from collections import Counter

import pytest

from healthpipe.asl import definition
from healthpipe.asl.definition import all_states
from healthpipe.asl.errors import InvalidDefinition
from healthpipe.asl.interpreter import Interpreter
from healthpipe.workflow.orchestrate import pipeline_path
from tests.asl.cases.building import DONE, branch, machine, parallel, pass_, retry, task
from tests.asl.cases.cases import CASES
from tests.asl.cases.invalid import INVALID, SOUND
from tests.asl.cases.ours import observe


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_workflow_does_what_its_clause_says(case):
    observed = observe(case.machine, case.data, scripts=case.tasks)

    assert observed.error == case.error, observed.cause
    assert observed.output == case.output
    assert Counter(observed.path) == Counter(case.path)
    if not any("Branches" in state for _, state in all_states(case.machine)):
        assert observed.path == list(case.path)
    if case.delays is not None:
        assert observed.delays == list(case.delays)


@pytest.mark.parametrize("place", ["at the top", "in a branch"])
@pytest.mark.parametrize(("clause", "workflow"), INVALID.values(), ids=INVALID)
def test_a_workflow_that_cannot_run_as_written_is_refused_when_loaded(
    place, clause, workflow, tmp_path
):
    def load(inner):
        other = branch("Other", DONE)
        outer = inner if place == "at the top" else branch("Outer", parallel(other, inner))
        (tmp_path / "workflow.json").write_text(json.dumps(outer))
        return definition.load(tmp_path / "workflow.json")

    assert load(SOUND)
    with pytest.raises(InvalidDefinition, match=r"^the workflow"):
        load(workflow)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "",
        '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "Result": NaN}}}',
        '{"StartAt": "A", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
        '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "A": {"Type": "Fail"}}}',
    ],
)
def test_a_file_that_is_no_clear_json_is_refused(text, tmp_path):
    (tmp_path / "workflow.json").write_text(text)
    with pytest.raises(InvalidDefinition, match=r"^the workflow"):
        definition.load(tmp_path / "workflow.json")


def test_a_definition_is_not_changed_by_a_run():
    workflow = machine({"Type": "Pass", "Result": {"a": {}}, "Next": "Second"})
    workflow["States"]["Second"] = {"Type": "Pass", "Result": 1, "ResultPath": "$.a.b", "End": True}
    before = json.dumps(workflow)

    assert Interpreter(None, {}).run(workflow, {}).output == {"a": {"b": 1}}
    assert json.dumps(workflow) == before


def test_the_packaged_pipeline_can_be_loaded():
    assert definition.load(pipeline_path())


def drawn(expression, random=lambda: 0.5):
    workflow = machine(pass_(Parameters={"x.$": expression}))
    return observe(workflow, {}, random=random).output["x"]


def test_random_numbers_come_from_where_the_caller_says():
    draws = iter((0.0, 0.5, 0.999))
    drawn_numbers = [drawn("States.MathRandom(10, 20)", lambda: next(draws)) for _ in range(3)]
    assert drawn_numbers == [10, 15, 19]


def test_the_same_seed_draws_the_same_number():
    others = iter((0.0, 0.5, 0.9))
    draws = {drawn("States.MathRandom(1, 1000, 7)", lambda: next(others)) for _ in range(3)}
    others = {drawn(f"States.MathRandom(1, 1000, {seed})") for seed in range(20)}
    assert len(draws) == 1
    assert len(others) > 1


def test_a_uuid_is_another_one_each_time():
    made = {drawn("States.UUID()") for _ in range(2)}
    assert {uuid.UUID(each).version for each in made} == {4}
    assert len(made) == 2


@pytest.mark.parametrize(("at", "seconds"), [(0.0, 0), (0.25, 1), (1.0, 4)])
def test_full_jitter_waits_any_time_up_to_the_delay(at, seconds):
    retrier = retry("Transient", IntervalSeconds=4, MaxAttempts=1, JitterStrategy="FULL")
    observed = observe(machine(task("fail", Retry=[retrier])), {}, random=lambda: at)
    assert observed.delays == [seconds]


def test_the_context_object_has_what_the_caller_gives():
    given = {"StateMachine": {"Id": "arn", "Name": "pipeline"}, "Execution": {"StartTime": "then"}}
    parameters = {"machine.$": "$$.StateMachine", "start.$": "$$.Execution.StartTime"}
    observed = observe(machine(pass_(Parameters=parameters)), {}, context=given)
    assert observed.output == {"machine": given["StateMachine"], "start": "then"}


def test_a_failure_names_its_state_error_and_cause():
    broken = {"Type": "Fail", "Error": "Broken", "Cause": "why"}
    observed = observe(machine(pass_(Next="Last"), Last=broken), {})
    assert (observed.state, observed.error, observed.cause) == ("Last", "Broken", "why")
    nameless = observe(machine({"Type": "Fail"}), {})
    assert (nameless.state, nameless.error, nameless.cause) == ("First", "", "")


def test_a_retry_delay_beyond_all_numbers_is_capped():
    retrier = retry("Transient", BackoffRate=1e300, MaxAttempts=3)
    observed = observe(machine(task("fail", Retry=[retrier])), {})
    assert observed.delays == [1, 99_999_999, 99_999_999]
