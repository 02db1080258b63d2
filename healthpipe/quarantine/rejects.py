"""Open the quarantine of a run: its rejected lines, where they stand, and their export.

Places are not kept: one scan of the file as it came finds them when somebody asks.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import Any

from healthpipe.choices import QuarantineGroup
from healthpipe.engines import open_embedded
from healthpipe.engines.base import Engine
from healthpipe.errors import ObjectMissing, RunNotFound, UsageError
from healthpipe.ingest.json_splitter import InvalidJson
from healthpipe.ingest.landing import read_records
from healthpipe.ingest.manifest import InputFile, Manifest
from healthpipe.ingest.packing import NO_LIMITS, FileRefused
from healthpipe.ingest.readers import LocalReader
from healthpipe.ingest.sources import absolute_source
from healthpipe.ingest.unpacking import Record
from healthpipe.runs.run import runs_of
from healthpipe.stages.curate import REJECTS
from healthpipe.stages.resolutions import (
    RejectedLine,
    Selection,
    define_quarantine,
    resolutions_in,
    tallies,
)
from healthpipe.storage.layout import (
    RECORD,
    RECORD_VERSION,
    RUN_ID,
    Root,
    require_known_version,
    second_of_run,
)
from healthpipe.storage.scratch import make_private_file
from healthpipe.workflow.input_reader import MANIFEST

MAX_NAMES = 3  # of files that a message names
# The bytes of a line, and which of the equal lines of its file it is, from 1.
Occurrence = tuple[bytes, int]


def find_places(
    records: Iterable[Record], wanted: Collection[Occurrence]
) -> dict[Occurrence, Record]:
    """Find lines among the records of a file, without those that it lacks."""
    sought = {line for line, _ in wanted}
    seen: Counter[bytes] = Counter()
    found: dict[Occurrence, Record] = {}
    try:
        for record in records:
            line = record.value
            if isinstance(line, Path) or line not in sought:
                continue
            seen[line] += 1
            if (line, seen[line]) in wanted:
                found[line, seen[line]] = record
            if len(found) == len(wanted):
                break
    except (OSError, FileRefused, InvalidJson):  # gone, or no longer what it was
        return found
    return found


@contextmanager
def open_quarantine(root: Root, run_id: str | None) -> Iterator["Quarantine"]:
    """Open the rejects of a run, by default the newest that kept any, while the block runs.

    Lines that raw files below the root have repaired since the run count as resolved.
    Raises `RunNotFound`.
    """
    run_id = run_id or _newest_run(root)
    uri = f"{root.run(run_id)}/{REJECTS}"
    if not RUN_ID.fullmatch(run_id) or root.storage.stat(uri) is None:
        raise _not_found(root, run_id, REJECTS)
    resolutions = resolutions_in(root, (file.uri for file in root.storage.list(root.raw)))
    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        scratch = Path(folder)
        with open_embedded(scratch, root.access) as engine:
            define_quarantine(engine, root.storage.local_copy(uri), resolutions)
            yield Quarantine(root, run_id, engine, scratch)


@dataclass(frozen=True)
class Quarantine:
    """The rejects of a run. Its lines are the relation `quarantined` of `engine`.

    `scratch` is a folder that is removed at the end.
    """

    root: Root
    run_id: str
    engine: Engine
    scratch: Path

    @property
    def uri(self) -> str:
        """The run's folder."""
        return self.root.run(self.run_id)

    def document(self, name: str) -> dict[str, Any]:
        """Read a JSON document of the run. Raises `RunNotFound`, `NewerDocument`."""
        uri = f"{self.uri}/{name}"
        found = self.root.storage.read(uri)
        if found is None:
            raise _not_found(self.root, self.run_id, name)
        document: dict[str, Any] = json.loads(found[0])
        if name == RECORD:
            require_known_version(document, RECORD_VERSION, uri)
        return document

    def inputs(self) -> dict[str, InputFile]:
        """The input files of the run by their names in results, as they are named from here."""
        manifest = Manifest.from_json(self.document(MANIFEST))
        folder = self.document(RECORD).get("folder", "")
        files = manifest.files
        if folder not in ("", str(Path.cwd())):
            files = tuple(replace(each, uri=absolute_source(each.uri, folder)) for each in files)
        return {file.source: file for file in files}

    def require_source(self, name: str) -> None:
        """Refuse the name of a file that the run has not read. Raises `UsageError`.

        Of one that it has read it may be that no line was rejected.
        """
        rejecting = list(tallies(self.engine, QuarantineGroup.FILE, Selection()))
        if name in rejecting or name in self.inputs():
            return
        near = get_close_matches(name, rejecting, n=MAX_NAMES) or rejecting[:MAX_NAMES]
        raise UsageError(
            f"run {self.run_id} has read no file {name}",
            f"--source takes a name such as {', '.join(near)}" if near else "it rejected no line",
        )

    def places(self, lines: list[RejectedLine]) -> list[Record | None]:
        """Find where each line stands in its file; None where the file lacks it now."""
        wanted: dict[str, set[Occurrence]] = {}
        for line in lines:
            if line.line is not None:
                wanted.setdefault(line.source, set()).add((line.line, line.occurrence))
        inputs = self.inputs()
        found: dict[tuple[str, bytes | None, int], Record] = {
            (source, *occurrence): record
            for source, occurrences in wanted.items()
            for occurrence, record in self._places_in(inputs[source], occurrences).items()
        }
        return [found.get((line.source, line.line, line.occurrence)) for line in lines]

    def _places_in(self, file: InputFile, wanted: set[Occurrence]) -> dict[Occurrence, Record]:
        """Find lines in a file as it came: it is read as it was when the run read it."""
        try:
            content = LocalReader(self.root.access, NO_LIMITS).content_of(file)
        except ObjectMissing:
            return {}
        return find_places(read_records(content, file.shape, self.scratch / "places"), wanted)


def _newest_run(root: Root) -> str:
    """The run that kept rejects last. Ids are by the second, so of two the later file decides."""
    for _, runs in groupby(runs_of(root), key=lambda run: second_of_run(run.run_id)):
        kept = [
            (rejects.modified, run.run_id)
            for run in runs
            if (rejects := root.storage.stat(f"{run.uri}/{REJECTS}"))
        ]
        if kept:
            return max(kept)[1]
    raise RunNotFound(
        f"{root.uri} has no run that kept rejects", "run a stage first, or give its --root"
    )


def _not_found(root: Root, run_id: str, name: str) -> RunNotFound:
    return RunNotFound(
        f"there is no {name} of a run {run_id!r} below {root.uri}",
        f"{root.uri}/runs has the run ids; without one the newest run is taken",
    )


@dataclass(frozen=True)
class ExportResult:
    """The number of lines written, and of those left out: whole files, lines kept in files."""

    rows: int
    whole_files: int
    kept_in_files: int


def export_lines(lines: Iterable[RejectedLine], path: Path) -> ExportResult:
    """Write the bytes of lines, each followed by LF, to a new file that only its owner reads."""
    rows = whole_files = kept_in_files = 0
    with make_private_file(path).open("wb") as file:
        for rejected in lines:
            if rejected.line is not None:
                file.write(rejected.line + b"\n")
                rows += 1
            elif rejected.kept_in is not None:
                kept_in_files += 1
            else:
                whole_files += 1
    return ExportResult(rows, whole_files, kept_in_files)
