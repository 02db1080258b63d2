"""What a run is known by, and its record: what happened, without the values of records."""

import datetime
import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any

import healthpipe
from healthpipe.errors import HealthpipeError, expected
from healthpipe.workflow.queries import shown, summed
from healthpipe.workflow.words import RunStatus

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
        return [query for notes in (*self.steps, self.details) for query in shown(notes)]

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


def describe(error: BaseException) -> dict[str, str]:
    """An error as documents show it; of an unexpected one only its kind, for it may quote data."""
    error = expected(error)
    if isinstance(error, HealthpipeError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    hint = "run again with --debug to see where it happened, and report it"
    return {"code": "bug", "message": f"unexpected {type(error).__name__}", "hint": hint}


def utc_now(precision: str = "seconds") -> str:
    """The time as documents show it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec=precision)
