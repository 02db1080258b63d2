"""Run the whole workflow on this machine: interpret the file that Step Functions runs on AWS."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from healthpipe.alerts.channels import Channel, Message
from healthpipe.asl.concurrency import Clock
from healthpipe.asl.definition import load
from healthpipe.asl.errors import StateFailed
from healthpipe.asl.interpreter import Interpreter
from healthpipe.cancellation import Deadline, shielded
from healthpipe.errors import HealthpipeError, Interrupted, LockHeld, OutOfTime, ServiceFailed
from healthpipe.progress import NoProgress, Progress
from healthpipe.publishing.pointer import PublishedRun, read_live
from healthpipe.runs.attempts import abandon_unfinished
from healthpipe.runs.cleanup import try_stop_run_queries
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import (
    ORCHESTRATE,
    Document,
    Execution,
    RunRecord,
    RunStatus,
    as_json,
    describe_error,
    scan_cost,
)
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.workflow.lambda_handler import ERRORS, handler
from healthpipe.workflow.step_runner import STEPS, LocalContext
from healthpipe.workflow.steps.notify import failure_of, open_notifier, record_delivery

LAMBDA = "arn:aws:states:::lambda:invoke"
SNS = "arn:aws:states:::sns:publish"
SCHEMA_VERSION = 1
LOCKED_OUT = "AnotherRunActive"  # the last state of a run when another one holds the lock
PUBLISHED_HINT = "what it published is live; the next run sends the alerts that are due"
UNPUBLISHED_HINT = "nothing was published; run again"


@dataclass
class LocalTasks:
    """Runs the tasks of the workflow in this process: the Lambda function, and `sns:publish`.

    `raised` has the exceptions of steps, by the description that the workflow hands on; without
    those of the failure branch, and of branches that were stopped because another one failed.
    """

    channel: Callable[[], Channel]
    progress: Progress = field(default_factory=NoProgress)
    raised: dict[str, BaseException] = field(default_factory=dict)

    def call(self, resource: str, argument: Any, limit: Deadline) -> Any:
        """Run a task; returns its result as Step Functions does. Raises `StateFailed`."""
        if resource == LAMBDA:
            return self._invoke(argument["Payload"], limit)
        if resource == SNS:
            return self._publish(argument)
        raise StateFailed("States.Runtime", f"there is no {resource} here")

    def _invoke(self, event: dict[str, Any], limit: Deadline) -> dict[str, Any]:
        try:
            status = handler(event, LocalContext(limit, self.progress))
        except tuple(ERRORS.values()) as error:
            name = type(error).__name__
            was_stopped = isinstance(error.__cause__, OutOfTime) and limit.is_cancelled.is_set()
            if not (was_stopped or STEPS[event["step"]].after_failure):
                self.raised[str(error)] = error.__cause__ or error
            cause = {"errorMessage": str(error), "errorType": name}
            raise StateFailed(name, json.dumps(cause)) from error
        return {"StatusCode": 200, "Payload": status}

    def _publish(self, argument: dict[str, Any]) -> dict[str, Any]:
        try:
            self.channel().send(Message(argument["Subject"], argument["Message"]))
        except Exception as error:
            raise StateFailed("Sns.SnsException", type(error).__name__) from error
        return {}


def pipeline_path() -> Path:
    """The path of the workflow file."""
    return Path(__file__).with_name("pipeline.asl.json")


@dataclass(frozen=True)
class RunEnvironment:
    """The environment of a run of the workflow: its progress display, and the wait for the lock.

    Another `machine` than the workflow file's, or another `clock`, is for tests.
    """

    progress: Progress = field(default_factory=NoProgress)
    lock_wait_s: float = 0
    machine: Mapping[str, Any] | None = None
    clock: Clock | None = None


@dataclass(frozen=True)
class WorkflowResult:
    """The result of a run of the workflow."""

    run: Run
    record: RunRecord
    elapsed_s: float

    @property
    def production(self) -> PublishedRun:
        """What the run published; of one that found nothing to do, what is live."""
        if self.record.status == RunStatus.UNCHANGED:
            published = read_live(self.run.root).published
        else:
            published = self.record.production
        return published or PublishedRun({})

    def to_json(self) -> Document:
        """The document of `--json`."""
        record, details = self.record, self.record.details
        return {
            "schema_version": SCHEMA_VERSION,
            "command": ORCHESTRATE,
            "run_id": record.run_id,
            "status": record.status,
            "engine": record.engine,
            "as_of": record.as_of.isoformat(),
            **{key: details.get(key) for key in ("input", "records", "issues", "audit", "alerts")},
            "steps": record.step_entries,
            "production": self.production.document,
            "queries": as_json(record.queries),
            **scan_cost(record.queries),
            "elapsed_s": round(self.elapsed_s, 3),
        }


def orchestrate(
    request: RunRequest, execution: Execution, environment: RunEnvironment | None = None
) -> WorkflowResult:
    """Run the workflow, or resume the run of that execution.

    Its record is kept whatever happens; production changes only at the end. Raises the error that
    made it fail, after the alert about it; `LockHeld` before anything is done.
    """
    environment = environment or RunEnvironment()
    machine = environment.machine or load(pipeline_path())
    run = Run(request.opened_root(), execution.run_id)
    lock = RootLock.of(run.root)
    with _failure_alerted(request, run):
        lock.acquire(run.run_id, environment.lock_wait_s)
    tasks = LocalTasks(request.channel, environment.progress)
    began = time.monotonic()
    try:
        interpreter = Interpreter(tasks, _context(request, execution), clock=environment.clock)
        _require_not_locked_out(interpreter.run(machine, {}).state, run)
        _close_if_open(run)
    except StateFailed as failure:
        cause = _cause_of(tasks, run, failure)
        _close_if_open(run, cause)
        raise cause from None
    except BaseException as error:
        _close_interrupted(run, error)
        raise
    finally:
        try:
            run.release()
        finally:
            lock.release(run.run_id)
    return WorkflowResult(run, run.record, time.monotonic() - began)


@contextmanager
def _failure_alerted(request: RunRequest, run: Run) -> Iterator[None]:
    """Alert about an error before the workflow begins, except a held lock or a signal."""
    try:
        yield
    except (LockHeld, Interrupted):
        raise
    except Exception as error:
        failure = failure_of(run, describe_error(error))
        record_delivery(run, "failure", open_notifier(run.root, request).notify_failure(failure))
        raise


def _context(request: RunRequest, execution: Execution) -> dict[str, Any]:
    own = {"Id": execution.name, "Name": execution.name, "StartTime": execution.start.isoformat()}
    return {"Execution": {**own, "Input": request.to_json()}}


def _require_not_locked_out(last_state: str, run: Run) -> None:
    if last_state == LOCKED_OUT:
        raise LockHeld(f"another process works on run {run.run_id}", "wait for its end")


def _cause_of(tasks: LocalTasks, run: Run, failure: StateFailed) -> BaseException:
    """The error of a step that made the workflow fail, by the run's record.

    Where there is no record, the error raised last; where no step raised one, what the record says.
    """
    recorded = run.record.error if run.exists else None
    if recorded is None:
        unknown = ServiceFailed(f"the workflow failed ({failure.error})", "look at the record")
        return next(reversed(tasks.raised.values()), unknown)
    return tasks.raised.get(json.dumps(recorded)) or ServiceFailed(
        recorded["message"], recorded["hint"]
    )


def _close_if_open(run: Run, error: BaseException | None = None) -> None:
    """Close the record if the step failed that should have; else the next run's cleanup does."""
    with suppress(HealthpipeError, OSError), shielded():
        if not run.exists or run.record.status != RunStatus.RUNNING:
            return
        abandon_unfinished(run)
        try_stop_run_queries(run)
        if error:
            run.fail(error)
        else:
            run.finish(run.record.good_end)


def _close_interrupted(run: Run, error: BaseException) -> None:
    """Close the record of a run that was ended, and put into the hint whether it had published."""
    with suppress(HealthpipeError), shielded():
        if isinstance(error, Interrupted):
            is_live = read_live(run.root).run_id == run.run_id
            error.hint = PUBLISHED_HINT if is_live else UNPUBLISHED_HINT
    _close_if_open(run, error)
