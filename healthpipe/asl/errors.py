"""Errors of states, and their handling by Retriers and Catchers.

Error names are those of the language (specification, appendix A). A Retry or Catch field is
matched here against a failure, and the delay of a retry computed.
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
HANDLEABLE = {
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
    """The definition is invalid, or uses what the interpreter does not implement."""


class StateFailed(Exception):
    """A state failed with an error name and a cause.

    `state` is the name of that state. `is_from_branch` is set where it lies in a branch of the
    Parallel state that fails with it.
    """

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause
        self.state: str | None = None
        self.is_from_branch = False

    def error_output(self) -> dict[str, str]:
        """Return the error output that a Catcher passes on."""
        return {"Error": self.error, "Cause": self.cause}


class ExecutionTimedOut(StateFailed):
    """The machine's own TimeoutSeconds are over: no Retrier and no Catcher matches this."""

    def __init__(self) -> None:
        super().__init__(TIMEOUT, "the machine ran longer than its TimeoutSeconds")


class Stopped(Exception):
    """The branch was cancelled, because another one failed or the execution is interrupted."""


DEFAULT_MAX_ATTEMPTS = 3
MAX_SECONDS = 99_999_999  # of Step Functions, in all fields that are seconds
DEFAULT_INTERVAL_SECONDS = 1
DEFAULT_BACKOFF_RATE = 2.0


class Retries:
    """Counts the retries of a state; a state that is entered again starts anew."""

    def __init__(self, state: Mapping[str, Any], random: Callable[[], float]) -> None:
        self._retriers = state.get("Retry", [])
        self._used = [0] * len(self._retriers)
        self._random = random

    @property
    def count(self) -> int:
        """The number of retries so far, the context object's RetryCount."""
        return sum(self._used)

    def delay(self, failure: StateFailed) -> float | None:
        """Count a retry and return the seconds to wait before it; None for no retry.

        The first Retrier that matches the error decides, also when its attempts are used up.
        """
        for number, retrier in enumerate(self._retriers):
            if matches_error(retrier, failure):
                if self._used[number] >= retrier.get("MaxAttempts", DEFAULT_MAX_ATTEMPTS):
                    return None
                seconds = self._backoff(retrier, self._used[number])
                self._used[number] += 1
                return seconds
        return None

    def _backoff(self, retrier: Mapping[str, Any], used: int) -> float:
        """Return the delay of a retrier's next retry, in seconds, with jitter where it is full."""
        first = float(retrier.get("IntervalSeconds", DEFAULT_INTERVAL_SECONDS))
        longest = float(retrier.get("MaxDelaySeconds", MAX_SECONDS))
        try:
            seconds = min(
                first * float(retrier.get("BackoffRate", DEFAULT_BACKOFF_RATE)) ** used, longest
            )
        except OverflowError:
            seconds = longest
        return self._random() * seconds if retrier.get("JitterStrategy") == "FULL" else seconds


def matches_error(handler: Mapping[str, Any], failure: StateFailed) -> bool:
    """Match an error with the ErrorEquals of a Retrier or a Catcher."""
    if isinstance(failure, ExecutionTimedOut) or failure.error in TERMINAL:
        return False
    names = handler["ErrorEquals"]
    if failure.error in names or (failure.is_from_branch and BRANCH_FAILED in names):
        return True
    return ALL in names or (TASK_FAILED in names and failure.error != TIMEOUT)


def find_catcher(state: Mapping[str, Any], failure: StateFailed) -> Mapping[str, Any] | None:
    """Find the first Catcher of a state that matches a failure; None if none does."""
    catchers: list[Mapping[str, Any]] = state.get("Catch", [])
    return next((each for each in catchers if matches_error(each, failure)), None)
