"""The queries that a run has started elsewhere, as notes that somebody else can end and sum.

The words of runs, of the workflow file and of its steps.

What a run is known by, and its record: what happened, without the values of records.
"""

import datetime
import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import healthpipe
from healthpipe.engines.athena.queries import estimated_usd
from healthpipe.errors import HealthpipeError, translate_os_error

QUERIES = "queries"
STARTED = "STARTED"  # until it is known how a query ended

Notes = dict[str, Any]


def recorded_queries(notes: Notes) -> list[dict[str, Any]]:
    """The queries that notes tell of, each with id, token, state and bytes_scanned."""
    return list(notes.get(QUERIES, ()))


def with_started(notes: Notes, query_id: str, token: str) -> list[dict[str, Any]]:
    """The same and one that was started, unless it is known from an earlier call."""
    known = recorded_queries(notes)
    if any(query["id"] == query_id for query in known):
        return known
    return [*known, {"id": query_id, "token": token, "state": STARTED, "bytes_scanned": 0}]


def with_ended(notes: Notes, query_id: str, state: str, bytes_scanned: int) -> list[dict[str, Any]]:
    """The same with the end of one."""
    end = {"state": state, "bytes_scanned": bytes_scanned}
    return [query | end if query["id"] == query_id else query for query in recorded_queries(notes)]


def unended(notes: Notes) -> list[str]:
    """The ids of the queries of which nobody has seen the end."""
    return [query["id"] for query in recorded_queries(notes) if query["state"] == STARTED]


def scanned(notes: Notes) -> int:
    """The bytes that the queries have scanned, as far as their end was seen."""
    return sum(query["bytes_scanned"] for query in recorded_queries(notes))


def summed(notes: Iterable[Notes]) -> dict[str, Any]:
    """What all queries together have scanned, and about what they cost; nothing without any."""
    bytes_scanned = [query["bytes_scanned"] for each in notes for query in recorded_queries(each)]
    if not bytes_scanned:
        return {}
    cost = round(estimated_usd(bytes_scanned), 6)
    return {"scanned": {"bytes": sum(bytes_scanned), "estimated_usd": cost}}


def queries_as_json(notes: Notes) -> list[dict[str, Any]]:
    """The queries as the documents of commands show them."""
    return [
        {"id": query["id"], "bytes_scanned": query["bytes_scanned"]}
        for query in recorded_queries(notes)
    ]


class CallStatus(StrEnum):
    """What a call of a step came to; the workflow's choices look at it."""

    DONE = "DONE"
    RUNNING = "RUNNING"
    LOCKED = "LOCKED"
    UNCHANGED = "UNCHANGED"


class RunStatus(StrEnum):
    """How a run stands; `unchanged` is one that found nothing to do."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


# How a run ends that did what it was to do.
GOOD = (RunStatus.SUCCEEDED, RunStatus.UNCHANGED)
ORCHESTRATE = "orchestrate"


SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Execution:
    """The one execution that a run is: when it started (UTC) and a name unique to it."""

    start: datetime.datetime
    name: str

    @classmethod
    def now(cls) -> "Execution":
        """A new one."""
        return cls(datetime.datetime.now(datetime.UTC).replace(microsecond=0), str(uuid.uuid4()))

    @classmethod
    def from_json(cls, document: dict[str, str]) -> "Execution":
        """The one that `to_json` told."""
        start = datetime.datetime.fromisoformat(document["start"]).astimezone(datetime.UTC)
        return cls(start, document["id"])

    def to_json(self) -> dict[str, str]:
        """As documents tell it."""
        return {"id": self.name, "start": self.start.isoformat()}

    @property
    def run_id(self) -> str:
        """`YYYYMMDDTHHMMSSZ-` and six hex digits, the same for the same execution."""
        digest = hashlib.sha256(self.name.encode()).hexdigest()
        return f"{self.start:%Y%m%dT%H%M%SZ}-{digest[:6]}"


@dataclass
class RunRecord:
    """What run.json holds. Values of records never get in."""

    run_id: str
    command: str
    engine: str
    as_of: datetime.date
    options: dict[str, Any]
    version: str = healthpipe.__version__
    status: str = RunStatus.RUNNING.value
    started_at: str = ""
    finished_at: str | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """The document as it is written."""
        named = {name: getattr(self, name) for name in _NAMED}
        head = {"schema_version": SCHEMA_VERSION, **named, "as_of": self.as_of.isoformat()}
        cost = summed([*self.steps, self.details])
        return {**head, **self.details, **cost, "error": self.error}

    @property
    def queries(self) -> list[dict[str, Any]]:
        """The queries that were started elsewhere, of all steps and attempts."""
        return [query for notes in (*self.steps, self.details) for query in queries_as_json(notes)]

    @property
    def good_end(self) -> RunStatus:
        """How a run that has come through ends: it has published, or had nothing to do."""
        return RunStatus.SUCCEEDED if "production" in self.details else RunStatus.UNCHANGED

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "RunRecord":
        """The record that `to_json` wrote."""
        named = {name: document[name] for name in (*_NAMED, "error")}
        named["as_of"] = datetime.date.fromisoformat(document["as_of"])
        details = {name: document[name] for name in document if name not in named}
        del details["schema_version"]
        return cls(**named, details=details)


_NAMED = (
    "run_id", "command", "version", "engine", "as_of", "options", "status", "started_at",
    "finished_at", "steps",
)  # fmt: skip


def describe_error(error: BaseException) -> dict[str, str]:
    """An error as documents show it; of an unexpected one only its kind, for it may quote data."""
    error = translate_os_error(error)
    if isinstance(error, HealthpipeError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    hint = "run again with --debug to see where it happened, and report it"
    return {"code": "bug", "message": f"unexpected {type(error).__name__}", "hint": hint}


def utc_now(precision: str = "seconds") -> str:
    """The time as documents show it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec=precision)
