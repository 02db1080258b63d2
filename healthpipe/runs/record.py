"""The record of a run, run.json: what happened, without the values of records.

The record is read by other versions than the one that wrote it. So its JSON is kept as it was read,
with the keys that this version does not know, and typed where it is looked at.
"""

import datetime
import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Self, TypeVar, overload

import msgspec

import healthpipe
from healthpipe.aws.session import AthenaSettings
from healthpipe.engines.athena.queries import estimated_usd
from healthpipe.errors import HealthpipeError, translate_os_error
from healthpipe.publishing.gates import judged_key
from healthpipe.publishing.pointer import PublishedRun
from healthpipe.storage.layout import RECORD_VERSION

ORCHESTRATE = "orchestrate"
Document = dict[str, Any]
T = TypeVar("T")


class CallStatus(StrEnum):
    """The outcome of a call of a step, which the workflow's choices compare."""

    DONE = "DONE"
    RUNNING = "RUNNING"
    LOCKED = "LOCKED"
    UNCHANGED = "UNCHANGED"


class RunStatus(StrEnum):
    """The status of a run; `unchanged` is one that found nothing to do."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


# The statuses of a run that did what it was to do.
GOOD = (RunStatus.SUCCEEDED, RunStatus.UNCHANGED)

QUERIES = "queries"
STARTED = "STARTED"  # the state of a query until its end was seen


class QueryRecord(msgspec.Struct, frozen=True):
    """A query execution of a run; `bytes_scanned` is 0 until its end was seen."""

    id: str
    token: str = ""
    state: str = STARTED
    bytes_scanned: int = 0


class QueryUsage(msgspec.Struct, frozen=True):
    """How much a query execution has scanned, as documents of runs and commands have it."""

    id: str
    bytes_scanned: int


def recorded_queries(document: Document) -> list[QueryRecord]:
    """The queries in a step's notes or in a record's details."""
    return msgspec.convert(document.get(QUERIES, ()), list[QueryRecord])


def with_started(queries: Sequence[QueryRecord], query_id: str, token: str) -> list[QueryRecord]:
    """The queries, and one that was started unless an earlier call of the step has recorded it."""
    if any(query.id == query_id for query in queries):
        return list(queries)
    return [*queries, QueryRecord(query_id, token)]


def with_ended(
    queries: Iterable[QueryRecord], query_id: str, state: str, bytes_scanned: int
) -> list[QueryRecord]:
    """The queries, with one marked as ended."""
    end = {"state": state, "bytes_scanned": bytes_scanned}
    return [
        msgspec.structs.replace(query, **end) if query.id == query_id else query
        for query in queries
    ]


def unended_ids(queries: Iterable[QueryRecord]) -> list[str]:
    """The ids of the queries whose end nobody has seen."""
    return [query.id for query in queries if query.state == STARTED]


def query_usage(document: Document) -> list[QueryUsage]:
    """What the queries in a step's notes or entry, or in a record's details, have scanned."""
    return msgspec.convert(document.get(QUERIES, ()), list[QueryUsage])


def scanned_bytes(queries: Iterable[QueryUsage | QueryRecord]) -> int:
    """The bytes that queries have scanned, those of running ones not counted."""
    return sum(query.bytes_scanned for query in queries)


def scan_cost(queries: Sequence[QueryUsage]) -> Document:
    """The entry `scanned` of a document: bytes and estimated cost; nothing without any query."""
    if not queries:
        return {}
    cost = round(estimated_usd([query.bytes_scanned for query in queries]), 6)
    return {"scanned": {"bytes": scanned_bytes(queries), "estimated_usd": cost}}


@dataclass(frozen=True)
class Execution:
    """The execution that a run is: when it started (UTC) and a name unique to it."""

    start: datetime.datetime
    name: str

    @classmethod
    def now(cls) -> "Execution":
        """A new execution."""
        return cls(datetime.datetime.now(datetime.UTC).replace(microsecond=0), str(uuid.uuid4()))

    # By hand: msgspec writes UTC as `Z`, and records have `+00:00`.
    @classmethod
    def from_json(cls, document: dict[str, str]) -> "Execution":
        """Parse what `to_json` has written, or the start and the id as Step Functions has them."""
        start = datetime.datetime.fromisoformat(document["start"]).astimezone(datetime.UTC)
        return cls(start, document["id"])

    def to_json(self) -> dict[str, str]:
        """The execution as documents have it."""
        return {"id": self.name, "start": self.start.isoformat()}

    @property
    def run_id(self) -> str:
        """`YYYYMMDDTHHMMSSZ-` and six hex digits, the same for the same execution."""
        digest = hashlib.sha256(self.name.encode()).hexdigest()
        return f"{self.start:%Y%m%dT%H%M%SZ}-{digest[:6]}"


class StepRecord(msgspec.Struct, frozen=True):
    """What the record says of the last attempt at a step."""

    name: str
    status: str
    attempt: int
    started_at: str
    finished_at: str | None
    error: dict[str, str] | None
    queries: list[QueryUsage] | msgspec.UnsetType = msgspec.UNSET


class GateRecord(msgspec.Struct, frozen=True):
    """A gate's result as the record has it; gate and level are text: other versions have others.

    `feed` and `subject` say what was judged where a gate judges several.
    """

    gate: str
    level: str
    message: str
    actual: int = 0
    feed: str | None = None
    subject: str | None = None

    @property
    def key(self) -> str:
        """What was judged."""
        return judged_key(self.gate, self.subject, self.feed)


class AuditRecord(msgspec.Struct, frozen=True):
    """What the gates have said of the run."""

    findings: list[GateRecord]


class AlertRecord(msgspec.Struct, frozen=True):
    """A delivery of alerts: what about, how many messages, and the problem if one was not sent."""

    about: str
    sent: int
    announced: int
    suppressed: int
    problem: str | None


class Detail(Generic[T]):
    """An entry of a record's `details` as a typed attribute; None where there is none."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, record: None, owner: type) -> Self: ...
    @overload
    def __get__(self, record: "RunRecord", owner: type) -> T | None: ...
    def __get__(self, record: "RunRecord | None", owner: type) -> "Self | T | None":
        if record is None:
            return self
        value = record.details.get(self._name)
        return None if value is None else msgspec.convert(value, self._kind)

    def __set__(self, record: "RunRecord", value: T) -> None:
        record.details[self._name] = as_json(value)


@dataclass
class RunRecord:
    """A run record. Values of records never get in.

    `step_entries` and `details` are JSON: the steps, and what follows the head in the document.
    They are read and written by way of the typed attributes.
    """

    run_id: str
    command: str
    engine: str
    as_of: datetime.date
    options: Document
    version: str = healthpipe.__version__
    status: str = RunStatus.RUNNING.value
    started_at: str = ""
    finished_at: str | None = None
    step_entries: list[Document] = field(default_factory=list)
    details: Document = field(default_factory=dict)
    error: dict[str, str] | None = None

    # The request of the workflow, and what a retry compares.
    request = Detail(Document)
    code = Detail(dict[str, str])
    generation = Detail(int)
    # The folder in which the run was started: relative paths begin there.
    folder = Detail(str)
    # Of a stage by hand, how Athena is reached.
    athena = Detail(AthenaSettings)
    unchanged_since = Detail(str)
    input = Detail(dict[str, int])
    records = Detail(dict[str, int])
    issues = Detail(dict[str, int])
    fingerprint = Detail(dict[str, str])
    audit = Detail(AuditRecord)
    # The run that was live when this one was audited.
    compared_with = Detail(str)
    note = Detail(str)
    alerts = Detail(list[AlertRecord])

    @property
    def execution(self) -> Execution:
        """The execution that a run of the workflow is."""
        return Execution.from_json(self.details["execution"])

    @property
    def production(self) -> PublishedRun | None:
        """The pointer that the run has published; None if it has not."""
        document = self.details.get("production")
        return None if document is None else PublishedRun(document)

    @production.setter
    def production(self, published: PublishedRun) -> None:
        self.details["production"] = published.document

    @property
    def steps(self) -> list[StepRecord]:
        """The steps in the order in which they were begun."""
        return msgspec.convert(self.step_entries, list[StepRecord])

    def put_step(self, step: StepRecord) -> None:
        """Put in the entry of a step, in place of its earlier one."""
        entry = as_json(step)
        for place, known in enumerate(self.step_entries):
            if known["name"] == step.name:
                self.step_entries[place] = entry
                return
        self.step_entries.append(entry)

    def add_alert(self, alert: AlertRecord) -> None:
        """Add a delivery of alerts."""
        self.details.setdefault("alerts", []).append(as_json(alert))

    @property
    def queries(self) -> list[QueryUsage]:
        """The queries that were started on Athena, of all steps."""
        return [query for each in (*self.step_entries, self.details) for query in query_usage(each)]

    @property
    def good_end(self) -> RunStatus:
        """The status of a run that ends well: it has published, or had nothing to do."""
        return RunStatus.UNCHANGED if self.production is None else RunStatus.SUCCEEDED

    def to_json(self) -> Document:
        """The document as it is written."""
        named = {name: getattr(self, name) for name in _HEAD}
        head = {
            "schema_version": RECORD_VERSION,
            **named,
            "as_of": self.as_of.isoformat(),
            "steps": self.step_entries,
        }
        return {**head, **self.details, **scan_cost(self.queries), "error": self.error}

    @classmethod
    def from_json(cls, document: Document) -> "RunRecord":
        """The record of a document that `to_json` has made, in this version or another."""
        head = {name: document[name] for name in (*_HEAD, "error")}
        head["as_of"] = datetime.date.fromisoformat(document["as_of"])
        known = {*head, "schema_version", "steps"}
        details = {name: value for name, value in document.items() if name not in known}
        return cls(**head, step_entries=document["steps"], details=details)


_HEAD = (
    "run_id", "command", "version", "engine", "as_of", "options", "status", "started_at",
    "finished_at",
)  # fmt: skip


def as_json(value: Any) -> Any:
    """A typed value as the JSON of a document."""
    return msgspec.to_builtins(value, enc_hook=str)


def describe_error(error: BaseException) -> dict[str, str]:
    """Code, message and hint of an error; of a bug only its type, for its text may quote data."""
    error = translate_os_error(error)
    if isinstance(error, HealthpipeError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    hint = "run again with --debug to see where it happened, and report it"
    return {"code": "bug", "message": f"unexpected {type(error).__name__}", "hint": hint}


def utc_now(precision: str = "seconds") -> str:
    """The time now (UTC) in ISO 8601, as documents have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec=precision)
