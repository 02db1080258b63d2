"""How states fail, by the error names of the language (specification, appendix A)."""

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
