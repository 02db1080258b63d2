"""A run's folder: its record and documents, and who works on it."""

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from healthpipe.cancellation import shielded
from healthpipe.errors import Interrupted, RunNotFound, ServiceFailed
from healthpipe.ingest.landing import LandingFolder
from healthpipe.runs.locks import RunLock
from healthpipe.runs.record import RunRecord, RunStatus, describe_error, utc_now
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import RECORD, RUN_ID, Root, second_of_run
from healthpipe.storage.private import make_scratch_folder, scratch_folder

RECORD_WRITES = 50  # as many tries at a record that parallel steps write as well


class Run:
    """A run's folder. Every change of its record is written at once, whole."""

    def __init__(self, root: Root, run_id: str) -> None:
        self.root = root
        self.run_id = run_id
        self.uri = root.run(run_id)
        self.scratch = scratch_folder(self.uri) if root.is_remote else Path(self.uri, ".attempt")
        self.attempts = f"{self.uri}/attempts"
        landed = (self.scratch if root.is_remote else Path(self.uri)) / "landed"
        self.landed = LandingFolder(landed, f"{self.uri}/landed", root.storage)

    @classmethod
    def named(cls, root: Root, text: str) -> "Run":
        """The run of an id that a user gave. Raises `RunNotFound`."""
        run = cls(root, text)
        if not RUN_ID.fullmatch(text) or not run.exists:
            raise RunNotFound(
                f"{root.uri} has no run {text!r}", "`healthpipe runs list` shows the runs"
            )
        return run

    @property
    def exists(self) -> bool:
        """Whether it was begun."""
        return self.root.storage.stat(self.root.record(self.run_id)) is not None

    @property
    def record(self) -> RunRecord:
        """What run.json says now. Raises `RunNotFound`, and `ServiceFailed` if it is damaged."""
        return self._read_record()[0]

    def find_record(self) -> RunRecord | None:
        """The same; None where there is none or a damaged one."""
        try:
            return self.record
        except (RunNotFound, ServiceFailed):
            return None

    @property
    def liveness(self) -> RunLock:
        """The mark that a process works on it."""
        return RunLock.of(self.root, self.run_id)

    def begin(self, record: RunRecord) -> None:
        """Make the run's folder and its first record, and hold the run."""
        self.hold()
        record.started_at = record.started_at or utc_now("microseconds")
        self.write_json(RECORD, record.to_json())

    def hold(self) -> None:
        """Say that this process works on the run, until it lets go or ends. Raises `LockHeld`."""
        if self.liveness.take():
            self.root.storage.delete_temporary(self.uri)  # a dead process may have left some
        if self.root.is_remote:
            make_scratch_folder(self.scratch)
        else:
            # With its parents: whoever clears up may have taken the empty folder for a dead run's.
            self.scratch.mkdir(parents=True, exist_ok=True)

    def change(self, change: Callable[[RunRecord], None]) -> RunRecord:
        """Change the record, over again if another step did so meanwhile."""
        for _ in range(RECORD_WRITES):
            record, etag = self._read_record()
            change(record)
            try:
                self.put_json_if(RECORD, record.to_json(), etag)
            except PreconditionFailed:
                continue
            return record
        raise ServiceFailed(f"{self.uri}/{RECORD} is written to by others all the time", "retry")

    def note(self, **details: Any) -> None:
        """Put details into the record."""
        self.change(lambda record: record.details.update(details))

    def finish(self, status: RunStatus, error: dict[str, str] | None = None) -> RunRecord:
        """Close the record, and remove what only the run's attempts needed."""

        def close(record: RunRecord) -> None:
            record.status, record.error, record.finished_at = status.value, error, utc_now()

        # Before the record: on a full disk this makes the room for it.
        self._remove_scratch()
        self.root.storage.delete_folder(self.attempts)
        return self.change(close)

    def fail(self, error: BaseException) -> None:
        """Close the record of a run that did not do what it was to do."""
        interrupted = isinstance(error, Interrupted)
        status = RunStatus.INTERRUPTED if interrupted else RunStatus.FAILED
        with shielded():
            self.finish(status, describe_error(error))

    def let_go(self) -> None:
        """Remove what only attempts needed; this process no longer works on the run.

        A run whose record could not be closed is left as one of a dead process.
        """
        with shielded():
            record = self.find_record()
            is_open = record is not None and record.status == RunStatus.RUNNING
            if not is_open:
                self._remove_scratch()
            self.liveness.give_back(is_over=not is_open)

    def write_json(self, name: str, document: dict[str, Any]) -> None:
        """Put a document into the run's folder."""
        self.root.storage.write(f"{self.uri}/{name}", _encoded(document))

    def put_json_if(self, name: str, document: dict[str, Any], etag: str | None) -> str:
        """Put a document in place of the one with that ETag; returns the new ETag.

        Raises `PreconditionFailed`.
        """
        return self.root.storage.put_if(f"{self.uri}/{name}", _encoded(document), etag)

    def find_json(self, name: str) -> tuple[dict[str, Any], str] | None:
        """A document from the run's folder with its ETag, if it is there.

        Raises `ServiceFailed` if it is damaged.
        """
        found = self.root.storage.read(f"{self.uri}/{name}")
        try:
            return (json.loads(found[0]), found[1]) if found else None
        except ValueError as error:
            raise ServiceFailed(
                f"{self.uri}/{name} is damaged", "restore it, or move the run's folder away"
            ) from error

    def read_json(self, name: str) -> dict[str, Any]:
        """A document from the run's folder. Raises `RunNotFound` where there is none."""
        return self._require_json(name)[0]

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

    def _remove_scratch(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _read_record(self) -> tuple[RunRecord, str]:
        document, etag = self._require_json(RECORD)
        return RunRecord.from_json(document), etag

    def _require_json(self, name: str) -> tuple[dict[str, Any], str]:
        found = self.find_json(name)
        if found is None:
            raise RunNotFound(
                f"there is no {name} of a run {self.run_id!r} below {self.root.uri}",
                "`healthpipe runs list` shows the runs",
            )
        return found


def runs_of(root: Root) -> list[Run]:
    """The runs below a root, the newest first; of one second in no order, for ids tell no more."""
    names = (uri.rpartition("/")[2] for uri in root.storage.folders(root.runs))
    ids = [name for name in names if RUN_ID.fullmatch(name)]
    return [Run(root, run_id) for run_id in sorted(ids, reverse=True)]


def records_of(root: Root) -> Iterator[RunRecord]:
    """The records of the runs below a root, the newest first, without damaged ones."""
    for _, runs in groupby(runs_of(root), key=lambda run: second_of_run(run.run_id)):
        found = (run.find_record() for run in runs)
        records = (record for record in found if record)
        yield from sorted(records, key=lambda record: record.started_at, reverse=True)


def _encoded(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, default=str) + "\n").encode()
