"""How states fail, by the error names of the language (specification, appendix A).

Retry and Catch: which errors they name, and how long a retry waits.
"""

from collections.abc import Callable, Mapping
from typing import Any

ALL = "States.ALL"
BRANCH_FAILED = "States.BranchFailed"
DATA_LIMIT_EXCEEDED = "States.DataLimitExceeded"
INTRINSIC_FAILURE = "States.IntrinsicFailure"
NO_CHOICE_MATCHED = "States.NoChoiceMatched"
PARAMETER_PATH_FAILURE = "States.ParameterPathFailure"
PERMISSIONS = "States.Permissions"
RESULT_PATH_MATCH_FAILURE = "States.ResultPathMatchFailure"
RUNTIME = "States.Runtime"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"

RESERVED = "States."
HANDLED = {
    ALL,
    BRANCH_FAILED,
    INTRINSIC_FAILURE,
    NO_CHOICE_MATCHED,
    PARAMETER_PATH_FAILURE,
    PERMISSIONS,
    RESULT_PATH_MATCH_FAILURE,
    TASK_FAILED,
    TIMEOUT,
}
# Step Functions ends an execution with these, whatever its states retry or catch.
TERMINAL = {RUNTIME, DATA_LIMIT_EXCEEDED}


class InvalidDefinition(ValueError):
    """The workflow is not one that the interpreter can run as it is meant."""


class StateFailed(Exception):
    """A state failed with an error name and a cause.

    `state` is the name of that state. `of_branch` is whether it lies in a branch of the Parallel
    state that fails with it.
    """

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause
        self.state: str | None = None
        self.of_branch = False

    def output(self) -> dict[str, str]:
        """What a Catch hands on."""
        return {"Error": self.error, "Cause": self.cause}


class ExecutionTimedOut(StateFailed):
    """The machine's own TimeoutSeconds are over: no Retry and no Catch of a state sees this."""

    def __init__(self) -> None:
        super().__init__(TIMEOUT, "the machine ran longer than its TimeoutSeconds")


class Stopped(Exception):
    """The branch was told to stop, because another one failed or the run is given up."""


MOST_ATTEMPTS = 3
LONGEST_SECONDS = 99_999_999  # of Step Functions, in all fields that are seconds
INTERVAL_SECONDS = 1
BACKOFF_RATE = 2.0


class Retries:
    """The retries of one visit to a state: a state that is entered again starts anew."""

    def __init__(self, state: Mapping[str, Any], random: Callable[[], float]) -> None:
        self._retriers = state.get("Retry", [])
        self._used = [0] * len(self._retriers)
        self._random = random

    @property
    def count(self) -> int:
        """How often the state was retried."""
        return sum(self._used)

    def delay(self, failure: StateFailed) -> float | None:
        """The seconds until the next try; None where there is to be none.

        The first Retrier that names the error decides, also when it is used up.
        """
        for number, retrier in enumerate(self._retriers):
            if matches_error(retrier, failure):
                if self._used[number] >= retrier.get("MaxAttempts", MOST_ATTEMPTS):
                    return None
                seconds = self._interval(retrier, self._used[number])
                self._used[number] += 1
                return seconds
        return None

    def _interval(self, retrier: Mapping[str, Any], used: int) -> float:
        first = float(retrier.get("IntervalSeconds", INTERVAL_SECONDS))
        longest = float(retrier.get("MaxDelaySeconds", LONGEST_SECONDS))
        try:
            seconds = min(first * float(retrier.get("BackoffRate", BACKOFF_RATE)) ** used, longest)
        except OverflowError:
            seconds = longest
        return self._random() * seconds if retrier.get("JitterStrategy") == "FULL" else seconds


def matches_error(handler: Mapping[str, Any], failure: StateFailed) -> bool:
    """Whether the ErrorEquals of a Retrier or a Catcher has the error in it."""
    if isinstance(failure, ExecutionTimedOut) or failure.error in TERMINAL:
        return False
    named = handler["ErrorEquals"]
    if failure.error in named or (failure.of_branch and BRANCH_FAILED in named):
        return True
    return ALL in named or (TASK_FAILED in named and failure.error != TIMEOUT)


def find_catcher(state: Mapping[str, Any], failure: StateFailed) -> Mapping[str, Any] | None:
    """The Catcher of a state that takes the error, if there is one."""
    catchers: list[Mapping[str, Any]] = state.get("Catch", [])
    return next((each for each in catchers if matches_error(each, failure)), None)
