"""Curate: every line of the run's files judged once, and accounted for."""

import hashlib
from collections.abc import Sequence
from itertools import count
from typing import Any

from healthpipe.choices import Format
from healthpipe.engines.base import Engine
from healthpipe.ingest.manifest import InputFile, Manifest
from healthpipe.runs.fingerprint import fingerprint, manifest_inputs
from healthpipe.stages.answers import answered_by
from healthpipe.stages.curate import (
    ACCOUNTED,
    BALANCE,
    CURATED_LINES,
    ISSUES,
    REJECTS,
    account,
    open_records,
)
from healthpipe.stages.segments import (
    DATA,
    DESCRIPTION,
    describe_segment,
    files_not_in,
    usable_segments,
)
from healthpipe.workflow.input_reader import MANIFEST
from healthpipe.workflow.results import accounted
from healthpipe.workflow.steps.context import Work


def curate(work: Work) -> dict[str, Any]:
    """Type the lines of files that no earlier run has typed; keep rejects, issues and balance."""
    segments: list[str] = []
    manifest = Manifest.from_json(work.run.read_json(MANIFEST))
    with work.engine() as engine:
        work.progress.step(f"reading {len(manifest.files)} files", engine.progress)

        readings = count(1)

        def read(files: Manifest) -> None:
            segments[:] = _segments_for(work, engine, files, next(readings))

        manifest = work.intake.read(manifest, read)
        work.attempt.note(segments=segments)
        _remove_superseded(work, segments)
        work.progress.step("accounting for every line", engine.progress)
        open_records(engine, work.options, segments, ACCOUNTED)
        counted = account(
            engine,
            work.options,
            work.scratch,
            landed=manifest.landed_lines,
            answered=answered_by(work.root, manifest.uris),
        )
    work.run.write_json(BALANCE, counted.to_json())
    for kept in (REJECTS, ISSUES):
        work.run.deliver(kept, work.scratch / kept)
    facts = accounted(manifest, counted)
    own = fingerprint(manifest_inputs(manifest), work.options)
    work.run.note(**facts, fingerprint=own)
    return {"segments": segments, **facts}


def _segments_for(work: Work, engine: Engine, manifest: Manifest, reading: int) -> list[str]:
    """Segments that hold the files, one of the run's own for those that no earlier run has curated.

    Where the manifest was made anew, the run's own segment is written over: only whole.
    """
    root, storage = work.root, work.root.storage
    folder = f"{root.curated}/{work.run.run_id}"
    known = usable_segments(root, manifest.files)
    new = files_not_in(known, manifest.files)
    if new:
        known = [segment for segment in known if segment.folder != folder]
        new = files_not_in(known, manifest.files)
    uris = [uri for segment in known for uri in segment.data]
    if new:
        engine.read_lines([file.as_lines() for file in new])
        # What describes the segment goes first: no description may be of other rows than these.
        storage.delete(f"{folder}/{DESCRIPTION}")
        data = _write_segment(work, engine, folder, _part_of(work, new, reading))
        names = [uri.removeprefix(f"{folder}/") for uri in data]
        storage.write(f"{folder}/{DESCRIPTION}", describe_segment(new, names))
        uris += data
    return uris


def _part_of(work: Work, files: Sequence[InputFile], reading: int) -> str:
    """The place in a segment's folder for one reading of these files alone.

    A step that is called again finds the queries of its earlier calls by their text, which names
    this place: a query that read the files before they changed must not be found.
    """
    content = hashlib.sha256(describe_segment(files, ())).hexdigest()
    return f"{work.attempt.number}/{reading}-{content[:8]}"


def _remove_superseded(work: Work, segments: Sequence[str]) -> None:
    """Remove what queries have written to the run's segment that failed, or read other files."""
    folder = f"{work.root.curated}/{work.run.run_id}"
    kept = {*segments, f"{folder}/{DESCRIPTION}"}
    for file in list(work.root.storage.list(folder)):
        if file.uri not in kept:
            work.root.storage.delete(file.uri)


def _write_segment(work: Work, engine: Engine, folder: str, part: str) -> list[str]:
    """Write the lines that were read to a segment's folder; returns the files' URIs."""
    if parts := engine.unload(CURATED_LINES, f"{folder}/{part}", Format.PARQUET):
        return sorted(parts)
    local = work.scratch / DATA
    engine.write(CURATED_LINES, local, Format.PARQUET)
    work.root.storage.deliver(local, f"{folder}/{DATA}")
    return [f"{folder}/{DATA}"]
