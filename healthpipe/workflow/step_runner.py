"""What a call of a step runs in: how long it may go on, and who watches.

One call of a step, wherever it runs: claimed, done within its time, and written down.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from healthpipe.cancellation import Deadline, deadline_applied, raise_if_cancelled
from healthpipe.errors import HealthpipeError, LockHeld, OutOfTime, StillRunning, UsageError
from healthpipe.progress import NoProgress, Progress
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.attempts import Attempt, sync_record
from healthpipe.runs.cleanup import stop_attempt_queries
from healthpipe.runs.fingerprint import code_fingerprint
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import ORCHESTRATE, QUERIES, CallStatus, Execution, RunRecord, RunStatus
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.workflow.steps.catalog import STEPS, Step
from healthpipe.workflow.steps.context import StepContext

# A step ends this long before it would be ended, to leave a note of how far it is.
MARGIN_S = 10.0


class LambdaContext(Protocol):
    """What AWS Lambda hands to a handler, as far as it is looked at."""

    def get_remaining_time_in_millis(self) -> int:
        """How long the call may go on."""


@dataclass(frozen=True)
class LocalContext:
    """The same for a call in this process."""

    limit: Deadline = field(default_factory=Deadline)
    progress: Progress = field(default_factory=NoProgress)

    def get_remaining_time_in_millis(self) -> int:
        """How long the call may go on; a day where nothing limits it."""
        remaining = self.limit.remaining()
        return 86_400_000 if remaining is None else int(remaining * 1000)


@contextmanager
def within_time(context: LambdaContext) -> Iterator[None]:
    """End the work of the block in time, or when the caller gives it up, as `OutOfTime`."""
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


# How long a call on AWS waits for a query before it is to be called again.
PATIENCE_S = 5.0


@dataclass(frozen=True)
class StepCall:
    """Which step of which execution is called, and with what request."""

    step: str
    execution: Execution
    request: RunRequest
    error: dict[str, str] | None = None

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "StepCall":
        """The call of a Lambda event. Raises `UsageError`."""
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
    """Do a step, or go on with it; if it was done before, do nothing.

    Raises `HealthpipeError`; `OutOfTime` where the step would come no further if called again.
    """
    step, run = STEPS[call.step], Run(call.request.opened_root(), call.execution.run_id)
    raise_if_cancelled()
    with within_time(context):
        if step.after_failure:
            return _perform_after_failure(step, run, call)
        try:
            _enter(run, call)
        except LockHeld:
            if call.step == "Ingest":
                return CallStatus.LOCKED
            raise
        last = Attempt.last(run, call.step)
        if step.done_once and last and last.is_done:
            sync_record(run, call.step)
            return _status(last)
        return _perform(step, run, call, context)


def _enter(run: Run, call: StepCall) -> None:
    """Take the lock for the run, and begin it or take it up again."""
    RootLock.of(run.root).take(run.run_id, is_shared=True)
    options = call.request.options(call.execution.start.date())
    if not run.exists:
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
    run.hold()
    if run.record.status != RunStatus.RUNNING:
        run.change(_take_up)


def _take_up(record: RunRecord) -> None:
    record.status, record.finished_at, record.error = RunStatus.RUNNING.value, None, None


def _perform(step: Step, run: Run, call: StepCall, context: LambdaContext) -> CallStatus:
    if isinstance(context, LocalContext):
        progress, patience = context.progress, None
    else:
        progress, patience = NoProgress(), PATIENCE_S
    attempt = Attempt.begin(run, call.step)
    if not attempt.goes_on:
        stop_attempt_queries(attempt, call.request.athena())
    known = _without_queries(attempt.notes)
    try:
        work = StepContext(
            run, call.execution, call.request, attempt, progress, patience_s=patience
        )
        result = step.perform(work)
    except StillRunning:
        attempt.pause()
        return CallStatus.RUNNING
    except OutOfTime as error:
        # Called again it would come no further: queries that were stopped count for nothing.
        if _without_queries(attempt.notes) == known:
            _note_failure(attempt, error)
            raise
        attempt.pause()
        return CallStatus.RUNNING
    except BaseException as error:
        _note_failure(attempt, error)
        raise
    attempt.succeed(result)
    return _status(attempt)


def _perform_after_failure(step: Step, run: Run, call: StepCall) -> CallStatus:
    """Do what has to be done after a failure, even if nothing of it can be written down."""
    attempt = Attempt.next(run, call.step)
    result = step.perform(
        StepContext(run, call.execution, call.request, attempt, NoProgress(), call.error)
    )
    if run.exists:
        with suppress(HealthpipeError, OSError):
            attempt.succeed(result)
    return CallStatus.DONE


def _without_queries(notes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: note for name, note in notes.items() if name != QUERIES}


def _note_failure(attempt: Attempt, error: BaseException) -> None:
    """Write a failure down if that can be done: where the disk is full, it cannot."""
    with suppress(HealthpipeError, OSError):
        attempt.fail(error)


def _status(attempt: Attempt) -> CallStatus:
    return CallStatus((attempt.result or {}).get("status", CallStatus.DONE))
