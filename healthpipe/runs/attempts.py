"""Attempts at a step: their progress in one document of the run, and the queries they start.

The document is written conditionally, with the ETag that the attempt has. So an attempt that was
abandoned, or that another one follows, can never finish, whatever it still does. Queries on Athena
are recorded there, or in the record of a stage run by hand, before they are waited for.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Any

import msgspec

from healthpipe.cancellation import shielded
from healthpipe.errors import ServiceFailed
from healthpipe.runs.record import (
    QUERIES,
    Document,
    QueryRecord,
    StepRecord,
    as_json,
    describe_error,
    query_usage,
    recorded_queries,
    scanned_bytes,
    utc_now,
    with_ended,
    with_started,
)
from healthpipe.runs.run import Run
from healthpipe.storage.base import PreconditionFailed

SCHEMA_VERSION = 1
FOLDER = "steps"


class StepStatus(StrEnum):
    """The status of a step."""

    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"


class StepDocument(msgspec.Struct, frozen=True):
    """The document of a step, steps/STEP.json: its last attempt."""

    schema_version: int
    step: str
    status: StepStatus
    attempt: int
    started_at: str
    finished_at: str | None
    error: dict[str, str] | None
    notes: Document
    result: Document | None

    def as_record(self) -> StepRecord:
        """The entry of the step in the record of the run."""
        return StepRecord(
            self.step,
            self.status,
            self.attempt,
            self.started_at,
            self.finished_at,
            self.error,
            query_usage(self.notes) or msgspec.UNSET,
        )


@dataclass
class Attempt:
    """An attempt at a step. `notes` are what a later call needs to resume where this one ended.

    An attempt that `is_resumed` was paused by an earlier call.
    """

    run: Run
    step: str
    number: int
    started_at: str
    notes: Document = field(default_factory=dict)
    result: Document | None = None
    etag: str | None = None
    status: StepStatus = StepStatus.RUNNING
    is_resumed: bool = False

    @classmethod
    def last(cls, run: Run, step: str) -> "Attempt | None":
        """Read the last attempt at a step; None before the first."""
        found = _find_document(run, step)
        if found is None:
            return None
        document, etag = found
        return cls(
            run,
            step,
            document.attempt,
            document.started_at,
            document.notes,
            document.result,
            etag,
            document.status,
        )

    @classmethod
    def next(cls, run: Run, step: str) -> "Attempt":
        """The next attempt, with the notes of the one before; not written yet.

        A paused attempt is resumed under its number.
        """
        last = cls.last(run, step)
        if last is None:
            return cls(run, step, 1, utc_now())
        is_resumed = last.status is StepStatus.PAUSED
        return cls(
            run,
            step,
            last.number if is_resumed else last.number + 1,
            last.started_at,
            last.notes,
            etag=last.etag,
            is_resumed=is_resumed,
        )

    @classmethod
    def begin(cls, run: Run, step: str) -> "Attempt":
        """Begin the next attempt, which supersedes the one before."""
        attempt = cls.next(run, step)
        attempt.note()
        return attempt

    @property
    def is_done(self) -> bool:
        """Whether the step has its result."""
        return self.result is not None

    @property
    def queries(self) -> list[QueryRecord]:
        """The queries of the step, with those of its earlier attempts; set in the notes."""
        return recorded_queries(self.notes)

    @queries.setter
    def queries(self, queries: list[QueryRecord]) -> None:
        self.notes[QUERIES] = as_json(queries)

    def succeed(self, result: Document) -> None:
        """Write the step's result."""
        self.result = result
        self._write(StepStatus.SUCCEEDED)

    def note(self, **notes: Any) -> None:
        """Add to the notes, and write them at once."""
        self.notes |= notes
        self._write(StepStatus.RUNNING)

    def pause(self) -> None:
        """End this call; the attempt is resumed when the step is called again."""
        self._write(StepStatus.PAUSED)

    def fail(self, error: BaseException) -> None:
        """Write that the attempt failed, and why."""
        self._write(StepStatus.FAILED, describe_error(error))

    def abandon(self) -> None:
        """Write that nobody waits for the attempt any more."""
        self._write(StepStatus.ABANDONED)

    def take_back(self) -> None:
        """Write that the result counts no more: the next attempt does the step again."""
        self.result = None
        self.abandon()

    def _write(self, status: StepStatus, error: dict[str, str] | None = None) -> None:
        document = StepDocument(
            SCHEMA_VERSION,
            self.step,
            status,
            self.number,
            self.started_at,
            finished_at=None if status is StepStatus.RUNNING else utc_now(),
            error=error,
            notes=self.notes,
            result=self.result,
        )
        with shielded():  # that of an attempt which was told to end is written as well
            try:
                self.etag = self.run.put_json_if(_name(self.step), as_json(document), self.etag)
            except PreconditionFailed:
                raise AttemptSuperseded(self.step) from None
            self.run.change(lambda record: record.put_step(document.as_record()))


def result_of(run: Run, step: str) -> Document:
    """Read the result of a step. Raises `RunNotFound` where it was never begun."""
    result: Document = run.read_json(_name(step))["result"]
    return result


def abandon_unfinished(run: Run, but: str | None = None) -> list[str]:
    """Abandon the unfinished attempts at all steps but one; returns the names of the steps.

    The record is brought up to date with the others, if a kill kept it from that.
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
    named = [step.name for step in run.record.steps]
    files = run.root.storage.list(f"{run.uri}/{FOLDER}")
    found = [PurePath(file.uri).stem for file in files if file.uri.endswith(".json")]
    return [*named, *(step for step in found if step not in named)]


def sync_record(run: Run, step: str) -> None:
    """Bring the record up to date with a step's document, if a kill came in between."""
    found = _find_document(run, step)
    if found and found[0].as_record() not in run.record.steps:
        run.change(lambda record: record.put_step(found[0].as_record()))


class AttemptSuperseded(ServiceFailed):
    """The attempt was abandoned, or another one follows it: its result counts no more."""

    code = "given_up"

    def __init__(self, step: str) -> None:
        super().__init__(f"this attempt at {step} was given up", "look at the run that follows")


def _name(step: str) -> str:
    return f"{FOLDER}/{step}.json"


def _find_document(run: Run, step: str) -> tuple[StepDocument, str] | None:
    found = run.find_json(_name(step))
    return (msgspec.convert(found[0], StepDocument), found[1]) if found else None


@dataclass(frozen=True)
class StepQueryLog:
    """The log of a step's queries, in the step's document."""

    attempt: Attempt

    def started(self, query_id: str, token: str) -> None:
        """Record a query before anybody waits for it."""
        known = self.attempt.queries
        queries = with_started(known, query_id, token)
        if queries != known:
            self.attempt.note(queries=as_json(queries))

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Record how a query ended; written with the next change of the document."""
        self.attempt.queries = with_ended(self.attempt.queries, query_id, state, bytes_scanned)

    def scanned(self) -> int:
        """The bytes that the run's queries have scanned, those of other steps by its record."""
        others = (
            scanned_bytes(step.queries)
            for step in self.attempt.run.record.steps
            if step.name != self.attempt.step and step.queries is not msgspec.UNSET
        )
        return scanned_bytes(self.attempt.queries) + sum(others)


@dataclass(frozen=True)
class RunQueryLog:
    """The log of the queries of a stage run by hand, in the run's record."""

    run: Run

    def started(self, query_id: str, token: str) -> None:
        """Record a query before anybody waits for it."""
        queries = recorded_queries(self.run.record.details)
        self.run.note(queries=with_started(queries, query_id, token))

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Record how a query ended."""
        queries = recorded_queries(self.run.record.details)
        self.run.note(queries=with_ended(queries, query_id, state, bytes_scanned))

    def scanned(self) -> int:
        """The bytes that the run's queries have scanned."""
        return scanned_bytes(recorded_queries(self.run.record.details))
