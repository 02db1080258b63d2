"""Section 7's rules of the workflow: each is broken once, and found."""

import pytest

from healthpipe.asl import definition
from healthpipe.asl.definition import machines
from healthpipe.workflow.policy import policy_violations
from tests.support.valid_pipeline import SERVICE_ERRORS, catch_to, step, valid_pipeline


def found_in(workflow):
    definition.check(workflow, "the workflow")
    return sorted(map(str, policy_violations(workflow)))


def state_of(workflow, name):
    return next(each["States"][name] for each in machines(workflow) if name in each["States"])


def without(name, field):
    def change(workflow):
        del state_of(workflow, name)[field]

    return change


def given(name, **fields):
    def change(workflow):
        state_of(workflow, name).update(fields)

    return change


def retrier(name, **fields):
    def change(workflow):
        state_of(workflow, name)["Retry"][0].update(fields)

    return change


def retrier_without(name, field):
    def change(workflow):
        del state_of(workflow, name)["Retry"][0][field]

    return change


def also(name, state):
    def change(workflow):
        workflow["States"][name] = state

    return change


def renamed(name):
    """A state of another name in the place of one: the step that has to be there is not."""

    def change(workflow):
        states = workflow["States"]
        states["Another"] = states.pop(name)
        if workflow["StartAt"] == name:
            workflow["StartAt"] = "Another"
        for state in states.values():
            for holder in (state, *state.get("Choices", []), *state.get("Catch", [])):
                for field in ("Next", "Default"):
                    if holder.get(field) == name:
                        holder[field] = "Another"

    return change


GENTLE = "has a Retry without a BackoffRate above 1, FULL jitter or MaxDelaySeconds"
TO_CLEANUP = "does not catch States.ALL and nothing else than to Cleanup"
TO_NEXT = "does not catch States.ALL to the state after it"
PLAINLY = "does not go, also from States.ALL, to a Fail state"
TO_PLAINLY = "does not catch States.ALL to a task arn:aws:states:::sns:publish"
IN_BRANCH = "catches in its branch what the Parallel state has to see"
SELECTIVE = [{"ErrorEquals": ["Bug"], "Next": "Cleanup"}]
CLEANED = ("Audit", "Curate", "Ingest", "Publish", "Stages")
TASKS = ("Ingest", "Extract", "Publish", "Cleanup", "NotifyPlainly")

BROKEN = {
    **{
        f"{name} without TimeoutSeconds": (
            without(name, "TimeoutSeconds"),
            [f"{name}: has no TimeoutSeconds"],
        )
        for name in TASKS
    },
    **{
        f"{name} without Retry": (without(name, "Retry"), [f"{name}: has no Retry"])
        for name in TASKS
    },
    "a Retry that never retries": (retrier("Audit", MaxAttempts=0), ["Audit: has no Retry"]),
    "a Retry that is not exponential": (retrier("Extract", BackoffRate=1), [f"Extract: {GENTLE}"]),
    "a Retry without jitter": (retrier_without("Audit", "JitterStrategy"), [f"Audit: {GENTLE}"]),
    "a Retry with no jitter": (retrier("Audit", JitterStrategy="NONE"), [f"Audit: {GENTLE}"]),
    "a Retry without cap": (retrier_without("Audit", "MaxDelaySeconds"), [f"Audit: {GENTLE}"]),
    "a plain message without jitter": (
        retrier_without("NotifyPlainly", "JitterStrategy"),
        [f"NotifyPlainly: {GENTLE}"],
    ),
    "a Retry that does not name Transient": (
        retrier("Audit", ErrorEquals=SERVICE_ERRORS),
        ["Audit: does not retry Transient"],
    ),
    **{
        f"a Retry that does not name {error}": (
            retrier("Audit", ErrorEquals=["Transient", *(set(SERVICE_ERRORS) - {error})]),
            [f"Audit: does not retry {error}"],
        )
        for error in SERVICE_ERRORS
    },
    **{
        f"a Retry of {error}": (
            retrier("Audit", ErrorEquals=["Transient", *SERVICE_ERRORS, error]),
            [f"Audit: retries {error}, which a retry may not repair"],
        )
        for error in ("GateFailed", "Misconfigured", "Bug", "States.TaskFailed")
    },
    **{
        f"{name} without Catch": (without(name, "Catch"), [f"{name}: {TO_CLEANUP}"])
        for name in CLEANED
    },
    "a Catch of some errors": (given("Audit", Catch=SELECTIVE), [f"Audit: {TO_CLEANUP}"]),
    "a Catch to somewhere else": (
        given("Audit", Catch=catch_to("NotifyFailure")),
        [f"Audit: {TO_CLEANUP}"],
    ),
    "a Catch to two places": (
        given("Audit", Catch=[{"ErrorEquals": ["Bug"], "Next": "Failed"}, *catch_to("Cleanup")]),
        [f"Audit: {TO_CLEANUP}"],
    ),
    "a Catch in a branch": (
        given("Extract", Catch=catch_to("ExtractDone")),
        [f"Extract: {IN_BRANCH}"],
    ),
    **{
        f"no {name}": (renamed(name), [f"the workflow has no state {name}"])
        for name in ("Ingest", "Curate", "Audit", "Publish", "AlertExpiring", "NotifySuccess")
    },
    "no Cleanup": (
        renamed("Cleanup"),
        sorted(
            ["the workflow has no state Cleanup"] + [f"{name}: {TO_CLEANUP}" for name in CLEANED]
        ),
    ),
    "no NotifyFailure": (renamed("NotifyFailure"), ["the workflow has no state NotifyFailure"]),
    "a Cleanup that fails": (
        without("Cleanup", "Catch"),
        ["Cleanup: does not catch States.ALL to NotifyFailure"],
    ),
    "a Cleanup that tells nobody": (
        given("Cleanup", Next="Failed"),
        ["Cleanup: comes to an end that is not behind NotifyFailure"],
    ),
    "a failure that succeeds": (
        given("NotifyFailure", Next="Done"),
        ["NotifyFailure: comes to Done, which is no Fail state"],
    ),
    "a NotifyFailure that fails": (
        without("NotifyFailure", "Catch"),
        sorted([f"NotifyFailure: {TO_PLAINLY}", "NotifyPlainly: is never reached"]),
    ),
    "a plain message by a Lambda": (
        given("NotifyPlainly", Resource="arn:aws:states:::lambda:invoke", Retry=step("x")["Retry"]),
        [f"NotifyFailure: {TO_PLAINLY}"],
    ),
    "a plain message that fails": (
        without("NotifyPlainly", "Catch"),
        [f"NotifyPlainly: {PLAINLY}"],
    ),
    "an AlertExpiring that fails the run": (
        without("AlertExpiring", "Catch"),
        [f"AlertExpiring: {TO_NEXT}"],
    ),
    "a NotifySuccess that skips a state": (
        given("NotifySuccess", Catch=catch_to("Done")),
        [f"NotifySuccess: {TO_NEXT}"],
    ),
    "a Finish that fails the run": (without("Finish", "Catch"), [f"Finish: {TO_NEXT}"]),
    "an unreachable state": (also("Lost", {"Type": "Succeed"}), ["Lost: is never reached"]),
    "an unreachable state in a branch": (
        given(
            "ExtractStatus",
            Choices=[{"Variable": "$.step.status", "StringEquals": "x", "Next": "ExtractDone"}],
        ),
        ["ExtractWait: is never reached"],
    ),
    "a loop without end": (
        given("ExtractStatus", Default="ExtractWait"),
        sorted(
            ["ExtractDone: is never reached"]
            + [f"Extract{each}: never comes to an end" for each in ("", "Status", "Wait")]
        ),
    ),
}


def test_the_sound_pipeline_is_sound():
    assert found_in(valid_pipeline()) == []


@pytest.mark.parametrize(("change", "expected"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_a_rule_is_found(change, expected):
    workflow = valid_pipeline()
    change(workflow)
    assert found_in(workflow) == expected


def test_a_failure_after_publish_is_found():
    workflow = valid_pipeline()
    choice = {"Variable": "$.step.status", "StringEquals": "BAD", "Next": "Failed"}
    workflow["States"]["Finish"]["Next"] = "Judge"
    workflow["States"]["Finish"]["Catch"] = catch_to("Judge")
    workflow["States"]["Judge"] = {"Type": "Choice", "Choices": [choice], "Default": "Done"}
    assert found_in(workflow) == ["Failed: is a Fail state that can come after Publish"]


def test_a_workflow_without_a_parallel_state_is_found():
    workflow = valid_pipeline()
    stages = workflow["States"]["Stages"]
    workflow["States"]["Stages"] = {"Type": "Pass", "Next": stages["Next"]}
    assert found_in(workflow) == ["the workflow has no Parallel state"]
