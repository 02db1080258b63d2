"""A run: its id, its folder and its record, which says what happened even if it fails."""

import datetime
import hashlib
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import healthpipe
from healthpipe.errors import HealthpipeError, Interrupted
from healthpipe.storage.layout import Root

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
    status: str = "running"
    started_at: str = ""
    finished_at: str | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """The document as it is written."""
        return {
            "schema_version": SCHEMA_VERSION,
            "run_id": self.run_id,
            "command": self.command,
            "version": healthpipe.__version__,
            "engine": self.engine,
            "as_of": self.as_of.isoformat(),
            "options": self.options,
            "status": self.status,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "steps": self.steps,
            **self.details,
            "error": self.error,
        }


class Run:
    """A run in progress: every change of its record is written at once, whole."""

    def __init__(self, root: Root, record: RunRecord) -> None:
        self.root = root
        self.record = record
        self.uri = root.run(record.run_id)
        self.scratch = Path(self.uri, ".attempt")
        self.landed = Path(self.uri, "landed")

    def begin(self) -> None:
        """Make the run's folder and its first record."""
        self.record.started_at = utc_now()
        self.scratch.mkdir(parents=True)
        self.save()

    def save(self) -> None:
        """Write the record."""
        self.write_json("run.json", self.record.to_json())

    def write_json(self, name: str, document: dict[str, Any]) -> None:
        """Put a document into the run's folder."""
        content = json.dumps(document, indent=1, default=str) + "\n"
        self.root.storage.write(f"{self.uri}/{name}", content.encode())

    def read_json(self, name: str) -> dict[str, Any]:
        """A document from the run's folder. Raises `LookupError` where there is none."""
        found = self.root.storage.read(f"{self.uri}/{name}")
        if found is None:
            raise LookupError(f"{self.uri}/{name} is not there")
        document: dict[str, Any] = json.loads(found[0])
        return document

    def deliver(self, name: str, local: Path) -> str:
        """Move a finished local file to its place in the run; its URI."""
        uri = f"{self.uri}/{name}"
        self.root.storage.deliver(local, uri)
        return uri

    def deliver_folder(self, name: str, local: Path) -> str:
        """Move a finished local folder to its place in the run; its URI."""
        uri = f"{self.uri}/{name}"
        self.root.storage.deliver_folder(local, uri)
        return uri

    def succeed(self) -> None:
        """Close the record of a run that did what it was to do."""
        self._finish("succeeded")

    def fail(self, error: BaseException) -> None:
        """Close the record of a run that did not."""
        self.record.error = describe(error)
        self._finish("interrupted" if isinstance(error, Interrupted) else "failed")

    def _finish(self, status: str) -> None:
        self.record.status = status
        self.record.finished_at = utc_now()
        self.root.storage.delete_folder(str(self.scratch))
        self.save()


def describe(error: BaseException) -> dict[str, str]:
    """An error as documents show it; of an unexpected one only its kind, for it may quote data."""
    if isinstance(error, HealthpipeError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    hint = "run again with --debug to see where it happened, and report it"
    return {"code": "bug", "message": f"unexpected {type(error).__name__}", "hint": hint}


def utc_now() -> str:
    """The time as documents show it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
