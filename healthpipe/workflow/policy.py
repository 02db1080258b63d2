"""The project's rules for its workflow file (section 7 of the design), beyond the language."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from healthpipe.asl.definition import (
    Machine,
    State,
    all_states,
    is_end,
    reachable_states,
    states_without_end,
    unreachable_states,
)
from healthpipe.asl.errors import ALL, TASK_FAILED

CLEANED_UP_AFTER = ("Ingest", "Curate", "Audit", "Publish")
CLEANUP = "Cleanup"
NOTIFY_FAILURE = "NotifyFailure"
AFTER_PUBLISH = ("AlertExpiring", "NotifySuccess")
PLAIN_MESSAGE = "arn:aws:states:::sns:publish"
TRANSIENT = "Transient"
# Step Functions' best practices, "Handle transient Lambda service exceptions".
LAMBDA_SERVICE_ERRORS = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
NOT_RETRIED = {"GateFailed", "Misconfigured", "Bug", ALL, TASK_FAILED}


@dataclass(frozen=True)
class PolicyViolation:
    """A rule that a state violates, or without a state the workflow as a whole."""

    state: str | None
    problem: str

    def __str__(self) -> str:
        return f"{self.state}: {self.problem}" if self.state else self.problem


def policy_violations(machine: Machine) -> list[PolicyViolation]:
    """Check a valid workflow against all rules."""
    return [finding for rule in _RULES for finding in rule(machine)]


def _all_states_are_reached_and_end(machine: Machine) -> Iterator[PolicyViolation]:
    for name in unreachable_states(machine):
        yield PolicyViolation(name, "is never reached")
    for name in states_without_end(machine):
        yield PolicyViolation(name, "never comes to an end")


def _tasks_have_timeouts(machine: Machine) -> Iterator[PolicyViolation]:
    for name, state in _tasks(machine):
        if "TimeoutSeconds" not in state:
            yield PolicyViolation(name, "has no TimeoutSeconds")


def _tasks_are_retried(machine: Machine) -> Iterator[PolicyViolation]:
    """Retries are exponential, with jitter and a cap, and for errors that a retry can help."""
    for name, state in _tasks(machine):
        retriers = [each for each in state.get("Retry", []) if each.get("MaxAttempts") != 0]
        if not retriers:
            yield PolicyViolation(name, "has no Retry")
            continue
        if not all(map(_backs_off, retriers)):
            yield PolicyViolation(
                name, "has a Retry without a BackoffRate above 1, FULL jitter or MaxDelaySeconds"
            )
        if ":lambda:" in state["Resource"]:
            named = {error for each in retriers for error in each["ErrorEquals"]}
            for error in (TRANSIENT, *LAMBDA_SERVICE_ERRORS):
                if error not in named:
                    yield PolicyViolation(name, f"does not retry {error}")
            for error in sorted(named & NOT_RETRIED):
                yield PolicyViolation(name, f"retries {error}, which a retry may not repair")


def _failures_lead_to_cleanup(machine: Machine) -> Iterator[PolicyViolation]:
    states = machine["States"]
    parallel = [name for name, state in states.items() if state["Type"] == "Parallel"]
    if not parallel:
        yield PolicyViolation(None, "the workflow has no Parallel state")
    for name in (*CLEANED_UP_AFTER, *parallel):
        if name not in states:
            yield PolicyViolation(None, f"the workflow has no state {name}")
        elif not _catches_all(states[name], CLEANUP):
            yield PolicyViolation(name, f"does not catch {ALL} and nothing else than to {CLEANUP}")
    for state in (states[name] for name in parallel):
        for branch in state["Branches"]:
            for inner, task in all_states(branch):
                if "Catch" in task:
                    yield PolicyViolation(
                        inner, "catches in its branch what the Parallel state has to see"
                    )


def _failures_are_alerted(machine: Machine) -> Iterator[PolicyViolation]:
    states = machine["States"]
    missing = [name for name in (CLEANUP, NOTIFY_FAILURE) if name not in states]
    if missing:
        for name in missing:
            yield PolicyViolation(None, f"the workflow has no state {name}")
        return
    if not _catches_all(states[CLEANUP], NOTIFY_FAILURE):
        yield PolicyViolation(CLEANUP, f"does not catch {ALL} to {NOTIFY_FAILURE}")
    if _ends(machine, CLEANUP, without=NOTIFY_FAILURE):
        yield PolicyViolation(CLEANUP, f"comes to an end that is not behind {NOTIFY_FAILURE}")
    for name in _ends(machine, NOTIFY_FAILURE):
        if states[name]["Type"] != "Fail":
            yield PolicyViolation(NOTIFY_FAILURE, f"comes to {name}, which is no Fail state")
    yield from _alert_has_a_fallback(states)


def _alert_has_a_fallback(states: dict[str, State]) -> Iterator[PolicyViolation]:
    """If the full alert cannot be sent, a fixed message is, without a Lambda function."""
    plain = _catch_all_target(states[NOTIFY_FAILURE])
    if plain is None or states[plain].get("Resource") != PLAIN_MESSAGE:
        yield PolicyViolation(NOTIFY_FAILURE, f"does not catch {ALL} to a task {PLAIN_MESSAGE}")
        return
    for target in (states[plain].get("Next"), _catch_all_target(states[plain])):
        if target is None or states[target]["Type"] != "Fail":
            yield PolicyViolation(plain, f"does not go, also from {ALL}, to a Fail state")
            return


def _published_runs_succeed(machine: Machine) -> Iterator[PolicyViolation]:
    """No failure of a task after Publish fails the workflow."""
    states = machine["States"]
    for name in AFTER_PUBLISH:
        if name not in states:
            yield PolicyViolation(None, f"the workflow has no state {name}")
    after = {
        each for name in AFTER_PUBLISH if name in states for each in reachable_states(machine, name)
    }
    for name, state in states.items():
        if name not in after:
            continue
        if state["Type"] == "Fail":
            yield PolicyViolation(name, "is a Fail state that can come after Publish")
        if state["Type"] == "Task" and not _catches_all(state, state.get("Next")):
            yield PolicyViolation(name, f"does not catch {ALL} to the state after it")


_RULES: tuple[Callable[[Machine], Iterator[PolicyViolation]], ...] = (
    _all_states_are_reached_and_end,
    _tasks_have_timeouts,
    _tasks_are_retried,
    _failures_lead_to_cleanup,
    _failures_are_alerted,
    _published_runs_succeed,
)


def _tasks(machine: Machine) -> Iterator[tuple[str, State]]:
    return ((name, state) for name, state in all_states(machine) if state["Type"] == "Task")


def _backs_off(retrier: dict[str, Any]) -> bool:
    rises = retrier.get("BackoffRate", 2) > 1
    return rises and retrier.get("JitterStrategy") == "FULL" and "MaxDelaySeconds" in retrier


def _catch_all_target(state: State) -> str | None:
    """The state to which a state's Catch leads from every error."""
    targets = (each["Next"] for each in state.get("Catch", []) if ALL in each["ErrorEquals"])
    return next(targets, None)


def _catches_all(state: State, target: str | None) -> bool:
    """Whether a state's Catch leads to that one state from every error."""
    targets = {each["Next"] for each in state.get("Catch", [])}
    return target is not None and _catch_all_target(state) == target and targets == {target}


def _ends(machine: Machine, start: str, without: str | None = None) -> list[str]:
    """The end states that are reached from a state, on paths that avoid another."""
    found = reachable_states(machine, start, without)
    return [name for name in machine["States"] if name in found and is_end(machine["States"][name])]
