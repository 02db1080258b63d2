"""A step's progress: one document in the run, written conditionally, that tells its attempts.

Whoever works on a step holds the document's ETag. An attempt that was given up, or that another
one follows, can therefore never finish, whatever it still does.

Where the queries of an engine elsewhere are written down while they run.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from healthpipe.cancellation import shielded
from healthpipe.errors import ServiceFailed
from healthpipe.runs.record import (
    QUERIES,
    describe_error,
    queries_as_json,
    scanned,
    utc_now,
    with_ended,
    with_started,
)
from healthpipe.runs.run import Run
from healthpipe.storage.base import PreconditionFailed

SCHEMA_VERSION = 1
FOLDER = "steps"


class StepStatus(StrEnum):
    """Where a step stands."""

    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"


@dataclass
class Attempt:
    """An attempt at a step. `notes` are what a later call needs to go on where this one ended.

    One that `goes_on` was paused by an earlier call.
    """

    run: Run
    step: str
    number: int
    started_at: str
    notes: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    etag: str | None = None
    status: StepStatus = StepStatus.RUNNING
    goes_on: bool = False

    @classmethod
    def last(cls, run: Run, step: str) -> "Attempt | None":
        """The last attempt at a step, if there was any."""
        found = run.find_json(_name(step))
        if found is None:
            return None
        document, etag = found
        kept = ("attempt", "started_at", "notes", "result")
        number, started_at, notes, result = (document[name] for name in kept)
        status = StepStatus(document["status"])
        return cls(run, step, number, started_at, notes, result, etag, status)

    @classmethod
    def next(cls, run: Run, step: str) -> "Attempt":
        """The next attempt, with the notes of the one before; not written down yet.

        One that was paused goes on under its number.
        """
        last = cls.last(run, step)
        if last is None:
            return cls(run, step, 1, utc_now())
        goes_on = last.status is StepStatus.PAUSED
        number = last.number if goes_on else last.number + 1
        return cls(run, step, number, last.started_at, last.notes, etag=last.etag, goes_on=goes_on)

    @classmethod
    def begin(cls, run: Run, step: str) -> "Attempt":
        """The next attempt, which takes the place of the one before."""
        attempt = cls.next(run, step)
        attempt.note()
        return attempt

    @property
    def is_done(self) -> bool:
        """Whether the step has its result."""
        return self.result is not None

    def succeed(self, result: dict[str, Any]) -> None:
        """The step has its result."""
        self.result = result
        self._write(StepStatus.SUCCEEDED)

    def note(self, **notes: Any) -> None:
        """Keep what a later call needs, now."""
        self.notes |= notes
        self._write(StepStatus.RUNNING)

    def pause(self) -> None:
        """The step is to be called again."""
        self._write(StepStatus.PAUSED)

    def fail(self, error: BaseException) -> None:
        """The attempt failed."""
        self._write(StepStatus.FAILED, describe_error(error))

    def abandon(self) -> None:
        """Nobody waits for this attempt any more."""
        self._write(StepStatus.ABANDONED)

    def _write(self, status: StepStatus, error: dict[str, str] | None = None) -> None:
        document = {
            "schema_version": SCHEMA_VERSION,
            "step": self.step,
            "status": status.value,
            "attempt": self.number,
            "started_at": self.started_at,
            "finished_at": None if status is StepStatus.RUNNING else utc_now(),
            "error": error,
            "notes": self.notes,
            "result": self.result,
        }
        with shielded():  # an attempt that was told to end is written down as well
            try:
                self.etag = self.run.put_json_if(_name(self.step), document, self.etag)
            except PreconditionFailed:
                raise AttemptSuperseded(self.step) from None
            self.run.change(lambda record: _enter(record.steps, document))


def result_of(run: Run, step: str) -> dict[str, Any]:
    """What a step of a run came to. Raises `RunNotFound` where it was never begun."""
    result: dict[str, Any] = run.read_json(_name(step))["result"]
    return result


def abandon_unfinished(run: Run, but: str | None = None) -> list[str]:
    """Abandon the attempts at all steps that have not ended, but for one; returns their names.

    What a kill kept the run's record from saying of the others is entered there.
    """
    abandoned = []
    for step in (step for step in begun_steps(run) if step != but):
        attempt = Attempt.last(run, step)
        if attempt is None or attempt.status not in (StepStatus.RUNNING, StepStatus.PAUSED):
            sync_record(run, step)
            continue
        try:
            attempt.abandon()
        except AttemptSuperseded:
            continue  # it ended meanwhile
        abandoned.append(step)
    return abandoned


def begun_steps(run: Run) -> list[str]:
    """The steps that have a document, in the order in which they were begun."""
    named = [step["name"] for step in run.record.steps]
    files = run.root.storage.list(f"{run.uri}/{FOLDER}")
    found = [PurePath(file.uri).stem for file in files if file.uri.endswith(".json")]
    return [*named, *(step for step in found if step not in named)]


def sync_record(run: Run, step: str) -> None:
    """Have the run's record say of a step what its document says, if a kill came in between."""
    found = run.find_json(_name(step))
    if found and _entry(found[0]) not in run.record.steps:
        run.change(lambda record: _enter(record.steps, found[0]))


class AttemptSuperseded(ServiceFailed):
    """The attempt was given up, or another one follows it: what it did counts no more."""

    code = "given_up"

    def __init__(self, step: str) -> None:
        super().__init__(f"this attempt at {step} was given up", "look at the run that follows")


def _name(step: str) -> str:
    return f"{FOLDER}/{step}.json"


def _entry(document: dict[str, Any]) -> dict[str, Any]:
    """What a run's record says of a step."""
    kept = ("status", "attempt", "started_at", "finished_at", "error")
    queries = {QUERIES: found} if (found := queries_as_json(document["notes"])) else {}
    return {"name": document["step"], **{name: document[name] for name in kept}, **queries}


def _enter(steps: list[dict[str, Any]], document: dict[str, Any]) -> None:
    """Put what a step's document says of it into a run record's list of steps."""
    entry = _entry(document)
    for place, known in enumerate(steps):
        if known["name"] == entry["name"]:
            steps[place] = entry
            return
    steps.append(entry)


@dataclass(frozen=True)
class StepQueryLog:
    """The queries of a step, in the step's document with those of its earlier attempts."""

    attempt: Attempt

    def started(self, query_id: str, token: str) -> None:
        """Write down a query before anybody waits for it."""
        queries = with_started(self.attempt.notes, query_id, token)
        if queries != self.attempt.notes.get(QUERIES):
            self.attempt.note(queries=queries)

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Keep how a query ended; the next change of the document writes it down."""
        notes = self.attempt.notes
        notes[QUERIES] = with_ended(notes, query_id, state, bytes_scanned)

    def scanned(self) -> int:
        """The bytes that the queries of the run have scanned, those of other steps as the record
        tells.
        """
        steps = self.attempt.run.record.steps
        others = [step for step in steps if step["name"] != self.attempt.step]
        return scanned(self.attempt.notes) + sum(map(scanned, others))


@dataclass(frozen=True)
class RunQueryLog:
    """The queries of a stage that is run by hand, in the run's record."""

    run: Run

    def started(self, query_id: str, token: str) -> None:
        """Write down a query before anybody waits for it."""
        self.run.note(queries=with_started(self.run.record.details, query_id, token))

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Write down how a query ended."""
        self.run.note(queries=with_ended(self.run.record.details, query_id, state, bytes_scanned))

    def scanned(self) -> int:
        """The bytes that the run's queries have scanned."""
        return scanned(self.run.record.details)
