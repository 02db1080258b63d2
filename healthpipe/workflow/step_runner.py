"""The step runner: one call of a step, locally or on AWS Lambda, within its time limit.

A call acquires the lock, begins an attempt or resumes one, and records how it ended. `STEPS` has
the function of each Task of the workflow file.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from healthpipe.alerts.state import read_state
from healthpipe.cancellation import Deadline, deadline_applied, raise_if_cancelled
from healthpipe.choices import PublishedStage
from healthpipe.errors import HealthpipeError, LockHeld, OutOfTime, StillRunning, UsageError
from healthpipe.progress import NoProgress, Progress
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.attempts import Attempt, sync_record
from healthpipe.runs.cleanup import stop_attempt_queries
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import (
    ORCHESTRATE,
    QUERIES,
    CallStatus,
    Document,
    Execution,
    RunRecord,
    RunStatus,
)
from healthpipe.runs.request import RunRequest, code_fingerprint
from healthpipe.runs.run import Run
from healthpipe.workflow.input_reader import forget_unreadable
from healthpipe.workflow.steps.compute import curate, ingest, stage_step
from healthpipe.workflow.steps.context import StepContext
from healthpipe.workflow.steps.notify import alert_expiring, notify_failure, notify_success
from healthpipe.workflow.steps.release import audit, cleanup, finish, publish


@dataclass(frozen=True)
class Step:
    """How a step is performed.

    One that is `done_once` is not repeated in a retry of its run; one that is `after_failure`
    belongs to the failure branch and needs neither lock nor run.
    """

    perform: Callable[[StepContext], dict[str, Any]]
    done_once: bool = True
    after_failure: bool = False


STEPS = {
    "Ingest": Step(ingest),
    "Curate": Step(curate),
    "Extract": Step(stage_step(PublishedStage.EXTRACT)),
    "FilterExpiring": Step(stage_step(PublishedStage.FILTER_EXPIRING)),
    "StateCounts": Step(stage_step(PublishedStage.STATE_COUNTS)),
    "Audit": Step(audit, done_once=False),
    "Publish": Step(publish),
    "AlertExpiring": Step(alert_expiring),
    "NotifySuccess": Step(notify_success),
    "Finish": Step(finish, done_once=False),
    "Cleanup": Step(cleanup, done_once=False, after_failure=True),
    "NotifyFailure": Step(notify_failure, done_once=False, after_failure=True),
}


# A step stops this long before its time limit, to record how far it has come.
MARGIN_S = 10.0
# How long a call on AWS waits for a query before it returns, to be called again.
QUERY_WAIT_S = 5.0


class LambdaContext(Protocol):
    """The context that AWS Lambda passes to a handler, as far as it is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """The time left for the call."""


@dataclass(frozen=True)
class LocalContext:
    """The Lambda context of a call in this process."""

    limit: Deadline = field(default_factory=Deadline)
    progress: Progress = field(default_factory=NoProgress)

    def get_remaining_time_in_millis(self) -> int:
        """The time left for the call; a day where nothing limits it."""
        remaining = self.limit.remaining()
        return 86_400_000 if remaining is None else int(remaining * 1000)


@contextmanager
def within_time(context: LambdaContext) -> Iterator[None]:
    """Raise `OutOfTime` in the block before the time limit, or when the caller cancels it."""
    remaining = context.get_remaining_time_in_millis() / 1000
    limit = Deadline(remaining - min(MARGIN_S, remaining / 2))
    outer = context.limit if isinstance(context, LocalContext) else Deadline()
    timer = threading.Timer(limit.remaining() or 0, limit.cancel)
    timer.daemon = True
    timer.start()
    try:
        with outer.on_cancel(limit.cancel), deadline_applied(limit):
            yield
    finally:
        timer.cancel()


@dataclass(frozen=True)
class StepCall:
    """A call of a step: the execution, its request, and the error that a Catch handed on."""

    step: str
    execution: Execution
    request: RunRequest
    error: dict[str, str] | None = None

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "StepCall":
        """Parse the event of a Lambda call. Raises `UsageError`."""
        try:
            step, execution = event["step"], Execution.from_json(event["execution"])
            request = RunRequest.from_json(event["request"])
        except UsageError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"the event is no call of a step ({error!r})",
                "give step, execution with id and start, and request with root",
            ) from error
        if step not in STEPS:
            raise UsageError(f"there is no step {step!r}", f"known: {', '.join(STEPS)}")
        return cls(step, execution, request, event.get("error"))


def run_step(call: StepCall, context: LambdaContext) -> CallStatus:
    """Run a step, or resume it; a step that is done already is not run again.

    Raises `HealthpipeError`; `OutOfTime` where the step would make no progress if called again.
    """
    step, run = STEPS[call.step], Run(call.request.opened_root(), call.execution.run_id)
    raise_if_cancelled()
    with within_time(context):
        if step.after_failure:
            return _run_after_failure(step, run, call)
        try:
            _acquire(run, call)
        except LockHeld:
            if call.step == "Ingest":
                return CallStatus.LOCKED
            raise
        last = Attempt.last(run, call.step)
        if step.done_once and last and last.is_done:
            sync_record(run, call.step)
            return _status(last)
        return _run_attempt(step, run, call, context)


def _acquire(run: Run, call: StepCall) -> None:
    """Acquire the locks of the root and the run; begin the run or reopen its record."""
    RootLock.of(run.root).acquire(run.run_id, is_shared=True)
    options = call.request.options(call.execution.start.date())
    if not run.exists:
        read_state(run.root)  # refused, if newer, before anything is computed
        run.begin(
            RunRecord(
                run.run_id,
                ORCHESTRATE,
                call.request.engine.value,
                options.as_of,
                options.to_json(),
                details={
                    "execution": call.execution.to_json(),
                    "request": call.request.to_json(),
                    "code": code_fingerprint(),
                    "generation": read_live(run.root).generation,
                },
            )
        )
        return
    run.acquire()
    if run.record.status != RunStatus.RUNNING:
        forget_unreadable(run)
        run.change(_reopen)


def _reopen(record: RunRecord) -> None:
    record.status, record.finished_at, record.error = RunStatus.RUNNING.value, None, None


def _run_attempt(step: Step, run: Run, call: StepCall, context: LambdaContext) -> CallStatus:
    """Run the next attempt at a step, or resume the last one, and record how it ended."""
    if isinstance(context, LocalContext):
        progress, query_wait_s = context.progress, None
    else:
        progress, query_wait_s = NoProgress(), QUERY_WAIT_S
    attempt = Attempt.begin(run, call.step)
    if not attempt.is_resumed:
        stop_attempt_queries(attempt, call.request.athena())
    notes_before = _without_queries(attempt.notes)
    try:
        work = StepContext(
            run, call.execution, call.request, attempt, progress, wait_limit_s=query_wait_s
        )
        result = step.perform(work)
    except StillRunning:
        attempt.pause()
        return CallStatus.RUNNING
    except OutOfTime as error:
        # Called again it would make no progress: a stopped query has to start over.
        if _without_queries(attempt.notes) == notes_before:
            _record_failure(attempt, error)
            raise
        attempt.pause()
        return CallStatus.RUNNING
    except BaseException as error:
        _record_failure(attempt, error)
        raise
    attempt.succeed(result)
    return _status(attempt)


def _run_after_failure(step: Step, run: Run, call: StepCall) -> CallStatus:
    """Run a step of the failure branch, even if its attempt cannot be recorded."""
    attempt = Attempt.next(run, call.step)
    result = step.perform(
        StepContext(run, call.execution, call.request, attempt, NoProgress(), call.error)
    )
    if run.exists:
        with suppress(HealthpipeError, OSError):
            attempt.succeed(result)
    return CallStatus.DONE


def _without_queries(notes: Document) -> Document:
    return {name: note for name, note in notes.items() if name != QUERIES}


def _record_failure(attempt: Attempt, error: BaseException) -> None:
    """Record a failure if possible: on a full disk it is not."""
    with suppress(HealthpipeError, OSError):
        attempt.fail(error)


def _status(attempt: Attempt) -> CallStatus:
    return CallStatus((attempt.result or {}).get("status", CallStatus.DONE))
