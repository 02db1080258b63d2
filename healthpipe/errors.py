"""The expected errors, with their code, exit code and name in the workflow's Retry and Catch.

An expected error is shown as one line that says what happened and what to do next. Anything that is
no `HealthpipeError` is a bug of ours. Each class also inherits the standard exception that a caller
would expect. Codes and exit codes are part of the contract (section 3 of the design).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar


class HealthpipeError(Exception):
    """Base of all expected errors: `message` says what happened, `hint` what to do next.

    `workflow_name` is the error's name in the workflow, of which Retry names only `Transient`.
    `details` are further fields of the error's JSON document.
    """

    code: ClassVar[str] = "bug"
    exit_code: ClassVar[int] = 1
    workflow_name: ClassVar[str] = "Bug"
    details: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message


class Imbalance(HealthpipeError, AssertionError):
    """Raised when the counts of a run contradict each other: a record was lost or invented.

    A bug of ours: the user reports it.
    """

    code = "imbalance"


class UsageError(HealthpipeError, ValueError):
    """Raised for a wrong command line, environment or configuration; the user corrects it."""

    code = "usage"
    exit_code = 2
    workflow_name = "Misconfigured"


class NewerDocument(UsageError):
    """Raised for a document that a newer healthpipe wrote; the user upgrades this one."""

    code = "newer_document"

    def __init__(self, name: str, version: int, known: int) -> None:
        """Name the document, its `schema_version`, and the newest `known` one."""
        super().__init__(
            f"{name} was written by a newer healthpipe"
            f" (schema_version {version}, and {known} is the newest known here)",
            "upgrade healthpipe on this machine",
        )


class SourceNotFound(UsageError, FileNotFoundError):
    """Raised when a SOURCE does not exist or has no readable file; the user names another."""

    code = "source_not_found"


class RootNotFound(UsageError, FileNotFoundError):
    """Raised when runs are asked for below a root that does not exist; the user names another."""

    code = "root_not_found"


class SourceDenied(UsageError, PermissionError):
    """Raised when the user may not list a folder of a SOURCE; its owner allows it."""

    code = "source_denied"


class ObjectDenied(UsageError, PermissionError):
    """Raised when S3 does not give out an object; its owner allows it, or restores an archived one.

    As input the object is one file that cannot be read.
    """

    code = "object_denied"


class OutputRefused(UsageError, OSError):
    """Raised when the output cannot or must not be written where asked; the user names another."""

    code = "output_refused"


class NothingPublished(UsageError, LookupError):
    """Raised when the root has no live run, or that run has no such output.

    The user runs `healthpipe orchestrate`, or asks for another stage.
    """

    code = "nothing_published"


class RunNotFound(UsageError, LookupError):
    """Raised when the root has no run of an id, or the run did not keep what is asked for.

    The user chooses one of `healthpipe runs list`.
    """

    code = "run_not_found"


class ReplayRefused(UsageError):
    """Raised for repaired lines that still break rules or match no rejected lines of the run.

    The user repairs the file and replays it again.
    """

    code = "replay_refused"


class ServiceFailed(HealthpipeError, OSError):
    """Raised when a disk, a service or the network fails, or a deadline passes.

    The workflow retries it; the user looks at the cause and runs again.
    """

    code = "service_failed"
    exit_code = 4
    workflow_name = "Transient"


class PublishedDamaged(ServiceFailed):
    """Raised when a published file is gone or has other bytes than were published.

    The user rolls back to an earlier run, or publishes anew.
    """

    code = "published_damaged"


class InputChanged(ServiceFailed):
    """Raised when input files kept changing while they were read; the user runs again later."""

    code = "input_changed"


class ObjectMissing(ServiceFailed, FileNotFoundError):
    """Raised when a file or object to be read does not exist, or no longer."""

    code = "object_missing"


class AlertNotSent(ServiceFailed):
    """Raised when the alert channel did not accept a message.

    It never fails a run: the next one sends the message.
    """

    code = "alert_not_sent"


class DoctorFailed(UsageError):
    """Raised when a check of `healthpipe doctor` failed; the user does what the hint says."""

    code = "doctor_failed"

    def __init__(
        self, check: str, finding: str, fix: str, checks: Sequence[Mapping[str, Any]]
    ) -> None:
        """Describe the first failed check; `checks` are the JSON documents of all."""
        failed = sum(each["verdict"] == "failed" for each in checks)
        more = f" (and {failed - 1} more)" if failed > 1 else ""
        super().__init__(f"{check}: {finding}{more}", fix)
        self.details = {"checks": list(checks)}


class DoctorFoundDamage(DoctorFailed):
    """Raised when all is there that a run needs, but what is live is not what was published."""

    code = "published_damaged"
    exit_code = 4


class ProbeFailed(UsageError):
    """Raised when Athena differs from the facts that its engine depends on.

    The user takes DuckDB and reports it.
    """

    code = "probe_failed"

    def __init__(self, facts: Sequence[str], report: str, details: Mapping[str, Any]) -> None:
        """Name the facts that do not hold; `report` is the URI of the report with all of them."""
        number = "1 fact does" if len(facts) == 1 else f"{len(facts)} facts do"
        super().__init__(
            f"{number} not hold here: {', '.join(facts)}",
            f"use --engine duckdb, and report it with {report}, which holds no data of yours",
        )
        self.details = details


class StreamBroken(ServiceFailed):
    """Raised when an earlier attempt has read part of standard input or a pipe.

    The rest alone would give wrong results: the user runs again with the whole of it.
    """

    code = "stream_broken"
    workflow_name = "Misconfigured"  # what was read is gone

    def __init__(self, name: str) -> None:
        super().__init__(
            f"an earlier attempt has read a part of {name}, which cannot be read again",
            "run again with the whole of it",
        )


class OutOfTime(HealthpipeError):
    """Raised inside work that was cancelled or has reached its deadline; the user runs again."""

    code = "out_of_time"
    exit_code = 4
    workflow_name = "Misconfigured"  # the same time would not do again

    def __init__(self) -> None:
        super().__init__("the work did not end in time", "run again; less data ends sooner")


class StillRunning(OutOfTime):
    """Raised when a step's query still runs on Athena; the workflow calls the step again."""

    code = "still_running"


class GateFailed(HealthpipeError):
    """Raised when the data of a run fails an audit gate, so that it is not published.

    A retry does not help: the user corrects the data, or accepts it with an option.
    """

    code = "gate_failed"
    exit_code = 3
    workflow_name = "GateFailed"


class NothingAccepted(GateFailed):
    """Raised by a stage by hand of which every line or file was rejected; its result is written.

    `details` are what the document of the stage has.
    """

    code = "nothing_accepted"

    def __init__(self, message: str, hint: str, details: Mapping[str, Any]) -> None:
        super().__init__(message, hint)
        self.details = details


class Stale(GateFailed):
    """Raised by `healthpipe status` when the last successful run is too old."""

    code = "stale"


class LockHeld(HealthpipeError, BlockingIOError):
    """Raised when another run has the lock of the root; the user waits for its end."""

    code = "lock_held"
    exit_code = 5
    workflow_name = "Transient"


class RetryRefused(UsageError):
    """Raised when a run cannot be resumed; the user runs `healthpipe orchestrate`."""

    code = "retry_refused"


class RollbackRefused(UsageError):
    """Raised when a run cannot be made live again; the user chooses another."""

    code = "rollback_refused"


class PublishConflict(HealthpipeError, FileExistsError):
    """Raised when another run was published since this one was compared with the live one.

    Production is untouched: the user looks at `healthpipe status`.
    """

    code = "publish_conflict"
    exit_code = 6
    workflow_name = "GateFailed"


class Interrupted(HealthpipeError):
    """Raised in the main thread when SIGINT or SIGTERM comes; the user runs again."""

    code = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted", "run again")
        self.signal_number = signal_number

    @property
    def process_exit_code(self) -> int:
        """The exit code that a shell expects of a process ended by this signal."""
        return 128 + self.signal_number


def translate_os_error(error: BaseException) -> BaseException:
    """Translate an `OSError` of the system to `ServiceFailed`; return any other error as it is."""
    if isinstance(error, OSError) and not isinstance(error, HealthpipeError):
        reason = error.strerror or type(error).__name__
        file = f" ({error.filename})" if error.filename else ""
        return ServiceFailed(f"{reason}{file}", "check the disk and permissions, then run again")
    return error


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of an error; 1 for one that is not expected."""
    error = translate_os_error(error)
    if isinstance(error, Interrupted):
        return error.process_exit_code
    return error.exit_code if isinstance(error, HealthpipeError) else 1


def workflow_name_of(error: BaseException) -> str:
    """Return the name of an error in the workflow; `Bug` for one that is not expected."""
    error = translate_os_error(error)
    return error.workflow_name if isinstance(error, HealthpipeError) else "Bug"
