"""The folder of a run: its record, its documents, its lock and its outputs."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from msgspec import ValidationError, structs

from healthpipe.cancellation import shielded
from healthpipe.engines.base import SegmentRows
from healthpipe.errors import Interrupted, RunNotFound, ServiceFailed
from healthpipe.ingest.landing import LandingFolder
from healthpipe.runs.locks import RunLock
from healthpipe.runs.record import (
    GOOD,
    Document,
    RunRecord,
    RunStatus,
    as_json,
    describe_error,
    utc_now,
)
from healthpipe.stages.curate import BALANCE, ISSUES, REJECTS, RunCounts
from healthpipe.stages.figures import FACILITIES, FIGURES, RunFigures
from healthpipe.stages.results import Provenance, WrittenFile
from healthpipe.stages.segments import SEGMENTS, segments_document, segments_in
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import (
    RECORD,
    RECORD_VERSION,
    RUN_ID,
    Root,
    require_known_version,
    second_of_run,
)
from healthpipe.storage.scratch import make_scratch_folder, scratch_folder

RECORD_WRITES = 50  # tries to change a record that parallel steps change as well


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
        """Find the run of an id that a user gave. Raises `RunNotFound`."""
        run = cls(root, text)
        if not RUN_ID.fullmatch(text) or not run.exists:
            raise RunNotFound(
                f"{root.uri} has no run {text!r}",
                f"`{root.command('runs', 'list')}` shows the runs",
            )
        return run

    @property
    def exists(self) -> bool:
        """Whether the run has a record."""
        return self.root.storage.stat(self.root.record(self.run_id)) is not None

    @property
    def record(self) -> RunRecord:
        """Read run.json.

        Raises `RunNotFound`, `ServiceFailed` if it is damaged, `NewerDocument`.
        """
        return self._read_record()[0]

    def find_record(self) -> RunRecord | None:
        """Read run.json; None where there is none or a damaged one. Raises `NewerDocument`."""
        try:
            return self.record
        except (RunNotFound, ServiceFailed):
            return None

    @property
    def lock(self) -> RunLock:
        """The run's lock, which a process holds while it works on the run."""
        return RunLock.of(self.root, self.run_id)

    def begin(self, record: RunRecord) -> None:
        """Acquire the run's lock, and write its first record."""
        self.acquire()
        record.started_at = record.started_at or utc_now("microseconds")
        record.folder = str(Path.cwd())
        self.write_json(RECORD, record.to_json())

    def acquire(self) -> None:
        """Acquire the run's lock, and make its scratch folder. Raises `LockHeld`."""
        if self.lock.acquire():
            self.root.storage.delete_temporary(self.uri)  # a dead process may have left some
        if self.root.is_remote:
            make_scratch_folder(self.scratch)
        else:
            # With its parents: a cleanup may have removed the empty folder as that of a dead run.
            self.scratch.mkdir(parents=True, exist_ok=True)

    def change(self, change: Callable[[RunRecord], None]) -> RunRecord:
        """Change the record conditionally; retried if another step has changed it meanwhile."""
        for _ in range(RECORD_WRITES):
            record, etag = self._read_record()
            change(record)
            try:
                self.put_json_if(RECORD, record.to_json(), etag)
            except PreconditionFailed:
                continue
            return record
        raise ServiceFailed(f"{self.uri}/{RECORD} is written to by others all the time", "retry")

    def note(self, **details: Any) -> RunRecord:
        """Store entries in the record's details, typed values as JSON; returns the record."""
        return self.change(lambda record: record.details.update(as_json(details)))

    def finish(self, status: RunStatus, error: dict[str, str] | None = None) -> RunRecord:
        """Close the record, and remove the temporary files of the run's attempts.

        The files that ingest has rewritten go with them, unless the run may be resumed.
        """

        def close(record: RunRecord) -> None:
            record.status, record.error, record.finished_at = status.value, error, utc_now()

        # Before the record is written: on a full disk this frees the space for it.
        self._remove_scratch()
        self.root.storage.delete_folder(self.attempts)
        if status in GOOD:
            self.landed.delete_rewritten()
        return self.change(close)

    def fail(self, error: BaseException) -> None:
        """Close the record as failed, or as interrupted."""
        interrupted = isinstance(error, Interrupted)
        status = RunStatus.INTERRUPTED if interrupted else RunStatus.FAILED
        with shielded():
            self.finish(status, describe_error(error))

    def release(self) -> None:
        """Release the run's lock, and remove its scratch folder.

        A run whose record could not be closed is left as if its process had died.
        """
        with shielded():
            record = self.find_record()
            is_open = record is not None and record.status == RunStatus.RUNNING
            if not is_open:
                self._remove_scratch()
            self.lock.release(is_over=not is_open)

    def write_json(self, name: str, document: Document) -> None:
        """Write a document to the run's folder."""
        self.root.storage.write(f"{self.uri}/{name}", _encoded(document))

    def put_json_if(self, name: str, document: Document, etag: str | None) -> str:
        """Write a document in place of the one with that ETag; returns the new ETag.

        Raises `PreconditionFailed`.
        """
        return self.root.storage.put_if(f"{self.uri}/{name}", _encoded(document), etag)

    def find_json(self, name: str) -> tuple[Document, str] | None:
        """Read a document of the run's folder, with its ETag; None where there is none.

        Raises `ServiceFailed` if it is damaged.
        """
        found = self.root.storage.read(f"{self.uri}/{name}")
        try:
            return (json.loads(found[0]), found[1]) if found else None
        except ValueError as error:
            raise ServiceFailed(
                f"{self.uri}/{name} is damaged", "restore it, or move the run's folder away"
            ) from error

    def read_json(self, name: str) -> Document:
        """Read a document of the run's folder. Raises `RunNotFound` where there is none."""
        return self._require_json(name)[0]

    def deliver(self, name: str, local: Path) -> str:
        """Move a finished local file to its place in the run; returns its URI."""
        uri = f"{self.uri}/{name}"
        self.root.storage.deliver(local, uri)
        return uri

    def deliver_folder(self, name: str, local: Path) -> str:
        """Move a finished local folder to its place in the run; returns its URI."""
        uri = f"{self.uri}/{name}"
        self.root.storage.deliver_folder(local, uri)
        return uri

    def keep_accounting(self, folder: Path, counts: RunCounts) -> None:
        """Write the balance, and move rejects and issues here from the local `folder`."""
        self.write_json(BALANCE, counts.to_json())
        for name in (REJECTS, ISSUES):
            self.deliver(name, folder / name)

    def keep_figures(self, folder: Path, figures: RunFigures) -> None:
        """Write the figures, and move the facilities here unless an engine has put them here."""
        prefix = f"{self.uri}/"
        names = [uri.removeprefix(prefix) for uri in figures.facilities]
        if not names:
            self.deliver(FACILITIES, folder / FACILITIES)
            names = [FACILITIES]
        self.write_json(FIGURES, structs.replace(figures, facilities=names).to_json())

    def keep_segments(self, segments: Sequence[SegmentRows]) -> None:
        """Write which curated segments the run reads."""
        self.write_json(SEGMENTS, segments_document(self.root, segments))

    @property
    def segments(self) -> list[SegmentRows]:
        """Read which curated segments the run reads. Raises `RunNotFound` where none are named."""
        return segments_in(self.root, self.read_json(SEGMENTS))

    @property
    def figures(self) -> RunFigures:
        """Read the figures. Raises `RunNotFound` where there are none."""
        return RunFigures.from_json(self.read_json(FIGURES))

    def find_figures(self) -> RunFigures | None:
        """Read the figures; None where a run has none, or damaged ones. Raises `NewerDocument`."""
        try:
            return self.figures
        except (RunNotFound, ServiceFailed, ValidationError):
            return None

    def deliver_results(self, stage: str, folder: Path, files: Sequence[WrittenFile]) -> list[str]:
        """Move the files of a stage here from the local `folder`; returns the URI of each.

        They go as one folder, unless an engine elsewhere has put files there already.
        """
        if all(file.uri is None for file in files):
            uri = self.deliver_folder(stage, folder)
            return [f"{uri}/{file.name}" for file in files]
        return [
            file.uri or self.deliver(f"{stage}/{file.name}", folder / file.name) for file in files
        ]

    def provenance(self, sources: Sequence[str]) -> Provenance:
        """Where the rows of the run's results come from, with its queries until now."""
        record = self.record
        return Provenance(
            run_id=record.run_id,
            as_of=record.as_of.isoformat(),
            generated_at=utc_now(),
            sources=list(sources) or [self.root.raw],
            engine=record.engine,
            query_ids=[query.id for query in record.queries],
        )

    def _remove_scratch(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _read_record(self) -> tuple[RunRecord, str]:
        document, etag = self._require_json(RECORD)
        require_known_version(document, RECORD_VERSION, f"{self.uri}/{RECORD}")
        return RunRecord.from_json(document), etag

    def _require_json(self, name: str) -> tuple[Document, str]:
        found = self.find_json(name)
        if found is None:
            raise RunNotFound(
                f"there is no {name} of a run {self.run_id!r} below {self.root.uri}",
                f"`{self.root.command('runs', 'list')}` shows the runs",
            )
        return found


def runs_of(root: Root) -> list[Run]:
    """The runs of a root, newest first; in no order within a second, which ids do not resolve."""
    names = (uri.rpartition("/")[2] for uri in root.storage.folders(root.runs))
    ids = [name for name in names if RUN_ID.fullmatch(name)]
    return [Run(root, run_id) for run_id in sorted(ids, reverse=True)]


def records_of(root: Root) -> Iterator[RunRecord]:
    """Read the records of a root's runs, newest first, without damaged ones."""
    for _, runs in groupby(runs_of(root), key=lambda run: second_of_run(run.run_id)):
        found = (run.find_record() for run in runs)
        records = (record for record in found if record)
        yield from sorted(records, key=lambda record: record.started_at, reverse=True)


def _encoded(document: Document) -> bytes:
    return (json.dumps(document, indent=1, default=str) + "\n").encode()
