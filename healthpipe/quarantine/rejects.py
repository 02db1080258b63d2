"""Rejected lines as a file to be mended in an editor.

A run's quarantine, opened: found below the root, with what was answered since the run.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePath
from typing import Any

from healthpipe.engines import open_embedded
from healthpipe.engines.base import Engine
from healthpipe.errors import ObjectMissing, RunNotFound
from healthpipe.ingest.manifest import InputFile, Manifest
from healthpipe.ingest.readers import LocalReader
from healthpipe.quarantine.line_numbers import Occurrence, line_numbers
from healthpipe.runs.run import runs_of
from healthpipe.stages.curate import REJECTS
from healthpipe.stages.resolutions import RejectedLine, define_quarantine, resolutions_in
from healthpipe.storage.layout import RUN_ID, Root, second_of_run
from healthpipe.storage.private import make_private_file
from healthpipe.workflow.input_reader import MANIFEST


@dataclass(frozen=True)
class ExportResult:
    """How many lines were written, and what has no line to write: whole files, kept elsewhere."""

    rows: int
    whole_files: int
    kept_in_files: int


def export_lines(lines: Iterable[RejectedLine], path: Path) -> ExportResult:
    """Write the bytes of lines, each followed by LF, to a new file of its owner alone."""
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


@dataclass(frozen=True)
class Quarantine:
    """What a run rejected. Its lines are the relation `quarantined` of `engine`."""

    root: Root
    run_id: str
    engine: Engine
    scratch: Path

    @property
    def uri(self) -> str:
        """The run's folder."""
        return self.root.run(self.run_id)

    def document(self, name: str) -> dict[str, Any]:
        """A document that the run kept. Raises `RunNotFound`."""
        found = self.root.storage.read(f"{self.uri}/{name}")
        if found is None:
            raise _not_found(self.root, self.run_id, name)
        document: dict[str, Any] = json.loads(found[0])
        return document

    def inputs(self) -> dict[str, InputFile]:
        """The files of the run by the names that results show."""
        manifest = Manifest.from_json(self.document(MANIFEST))
        return {file.source: file for file in manifest.files}

    def numbers(self, lines: list[RejectedLine]) -> list[int | None]:
        """The number of each line in its file, from 1; None where the file no longer tells.

        Of a container it is the place of the item.
        """
        wanted: dict[str, set[Occurrence]] = {}
        for line in lines:
            if line.line is not None:
                wanted.setdefault(line.source, set()).add((line.line, line.occurrence))
        inputs = self.inputs()
        found: dict[tuple[str, bytes | None, int], int] = {
            (source, *occurrence): number
            for source, occurrences in wanted.items()
            for occurrence, number in self._numbers_in(inputs[source], occurrences).items()
        }
        return [found.get((line.source, line.line, line.occurrence)) for line in lines]

    def _numbers_in(self, file: InputFile, wanted: set[Occurrence]) -> dict[Occurrence, int]:
        uri = file.uri
        if file.landed is not None and file.shape.has_items:
            # Below this root, wherever it lay seen from where the run was started.
            uri = f"{self.uri}/landed/{PurePath(file.landed).name}"
        try:
            return line_numbers(LocalReader(self.root.access).content(uri), wanted)
        except ObjectMissing:
            return {}


@contextmanager
def open_quarantine(root: Root, run_id: str | None) -> Iterator[Quarantine]:
    """The rejects of a run, by default the newest that has any kept, while the block runs.

    Raises `RunNotFound`.
    """
    run_id = run_id or _newest_run(root)
    uri = f"{root.run(run_id)}/{REJECTS}"
    if not RUN_ID.fullmatch(run_id) or root.storage.stat(uri) is None:
        raise _not_found(root, run_id, REJECTS)
    answered = resolutions_in(root, (file.uri for file in root.storage.list(root.raw)))
    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        scratch = Path(folder)
        with open_embedded(scratch, root.access) as engine:
            define_quarantine(engine, root.storage.local_copy(uri), answered)
            yield Quarantine(root, run_id, engine, scratch)


def _newest_run(root: Root) -> str:
    """The run that kept rejects last. Ids tell seconds only, so of two the later file decides."""
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
