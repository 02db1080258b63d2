"""Every failure the tool expects: its exit code, and whether trying again can help.

An expected failure is shown as one line that says what happened and what to do next.
Anything that is not a `HealthpipeError` is a bug of ours.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar


class HealthpipeError(Exception):
    """Base of all expected failures: what happened, and in `hint` what to do next."""

    code: ClassVar[str] = "bug"
    exit_code: ClassVar[int] = 1
    retry_helps: ClassVar[bool] = False
    workflow_name: ClassVar[str] = "Bug"
    # What else the document of the error tells.
    details: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message


class Imbalance(HealthpipeError, AssertionError):
    """The counts of a run contradict each other: a record was lost or invented."""

    code = "imbalance"


class UsageError(HealthpipeError, ValueError):
    """The command line, the environment or the configuration file asks for the impossible."""

    code = "usage"
    exit_code = 2
    workflow_name = "Misconfigured"


class SourceNotFound(UsageError, FileNotFoundError):
    """A SOURCE is not there, or holds no file that can be read."""

    code = "source_not_found"


class OutputRefused(UsageError, OSError):
    """A place for the output that cannot or must not be written."""

    code = "output_refused"


class NothingPublished(UsageError, LookupError):
    """The root has no live run, or the live run lacks what was asked for."""

    code = "nothing_published"


class RunNotFound(UsageError, LookupError):
    """The root has no run of that id, or the run kept nothing of what was asked for."""

    code = "run_not_found"


class ReplayRefused(UsageError):
    """Mended lines that are still broken, or that do not tell which rejected lines they answer."""

    code = "replay_refused"


class ServiceFailed(HealthpipeError, OSError):
    """Something outside failed: a disk, a service, a deadline. A retry may help."""

    code = "service_failed"
    exit_code = 4
    retry_helps = True
    workflow_name = "Transient"


class InputChanged(ServiceFailed):
    """The input files kept changing while they were read."""

    code = "input_changed"


class ObjectMissing(ServiceFailed, FileNotFoundError):
    """What was to be read from a storage is not there, or not there any more."""

    code = "object_missing"


class AlertNotSent(ServiceFailed):
    """The channel of the alerts did not take a message."""

    code = "alert_not_sent"


class DoctorFailed(UsageError):
    """Something is missing that a run needs."""

    code = "doctor_failed"

    def __init__(self, what: str, told: str, fix: str, checks: Sequence[Mapping[str, Any]]) -> None:
        failed = sum(check["verdict"] == "failed" for check in checks)
        more = f" (and {failed - 1} more)" if failed > 1 else ""
        super().__init__(f"{what}: {told}{more}", fix)
        self.details = {"checks": list(checks)}


class ProbeFailed(UsageError):
    """Athena does not do what the adapter rests on."""

    code = "probe_failed"

    def __init__(self, facts: Sequence[str], report: str, details: Mapping[str, Any]) -> None:
        number = "1 fact does" if len(facts) == 1 else f"{len(facts)} facts do"
        super().__init__(
            f"{number} not hold here: {', '.join(facts)}",
            f"use --engine duckdb, and report it with {report}, which holds no data of yours",
        )
        self.details = details


class StreamBroken(ServiceFailed):
    """Standard input or a pipe was read in part, and the rest alone would be wrong."""

    code = "stream_broken"
    workflow_name = "Misconfigured"  # what was read is gone

    def __init__(self, name: str) -> None:
        super().__init__(
            f"an earlier attempt has read a part of {name}, which cannot be read again",
            "run `healthpipe orchestrate` with the whole of it",
        )


class OutOfTime(HealthpipeError):
    """A piece of work was cancelled, or has used up its time."""

    code = "out_of_time"
    exit_code = 4
    workflow_name = "Misconfigured"  # the same time would not do again

    def __init__(self) -> None:
        super().__init__("the work did not end in time", "run again; less data ends sooner")


class StillRunning(OutOfTime):
    """What the work waits for goes on elsewhere: called again, it goes on waiting."""

    code = "still_running"


class GateFailed(HealthpipeError):
    """The data of a run is not sound enough to be published."""

    code = "gate_failed"
    exit_code = 3
    workflow_name = "GateFailed"


class Stale(GateFailed):
    """No run has succeeded for too long."""

    code = "stale"


class LockHeld(HealthpipeError, BlockingIOError):
    """Another run of the workflow is at work on the root."""

    code = "lock_held"
    exit_code = 5
    workflow_name = "Transient"


class RetryRefused(UsageError):
    """A run that cannot be gone on with."""

    code = "retry_refused"


class RollbackRefused(UsageError):
    """A run that cannot be made live again."""

    code = "rollback_refused"


class PublishConflict(HealthpipeError, FileExistsError):
    """Somebody else published since this run looked at the live one."""

    code = "publish_conflict"
    exit_code = 6
    workflow_name = "GateFailed"


class Interrupted(HealthpipeError):
    """The run was told to stop by a signal."""

    code = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted", "run again")
        self.signal_number = signal_number

    @property
    def process_exit_code(self) -> int:
        """What a shell expects of a process ended by this signal."""
        return 128 + self.signal_number


def expected(error: BaseException) -> BaseException:
    """The error itself, or as a failure of the outside if it is the system's."""
    if isinstance(error, OSError) and not isinstance(error, HealthpipeError):
        what = error.strerror or type(error).__name__
        where = f" ({error.filename})" if error.filename else ""
        return ServiceFailed(f"{what}{where}", "check the disk and permissions, then run again")
    return error


def exit_code_of(error: BaseException) -> int:
    """The exit code that the contract gives to `error`; 1 for whatever is not expected."""
    error = expected(error)
    if isinstance(error, Interrupted):
        return error.process_exit_code
    return error.exit_code if isinstance(error, HealthpipeError) else 1


def workflow_name_of(error: BaseException) -> str:
    """The name that the workflow knows an error by."""
    error = expected(error)
    return error.workflow_name if isinstance(error, HealthpipeError) else "Bug"
