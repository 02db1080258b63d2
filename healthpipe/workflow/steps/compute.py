"""Curate: every line of the run's files judged once, and accounted for.

Ingest: clear up after dead runs, see whether there is anything to do, list the files.

The stages whose outputs are published: Extract, FilterExpiring, StateCounts.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

from healthpipe.choices import EngineName, Format, PublishedStage
from healthpipe.engines.base import Engine
from healthpipe.ingest.lander import IngestPaused
from healthpipe.ingest.manifest import InputFile, Manifest
from healthpipe.ingest.sources import find_files
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.cleanup import DIED, sweep
from healthpipe.runs.fingerprint import fingerprint, found_inputs, manifest_inputs
from healthpipe.runs.record import CallStatus, RunRecord
from healthpipe.runs.run import Run
from healthpipe.stages.catalog import STAGES, projections_of
from healthpipe.stages.curate import (
    ACCOUNTED,
    BALANCE,
    CURATED_LINES,
    ISSUES,
    REJECTS,
    account,
    open_records,
)
from healthpipe.stages.resolutions import resolutions_in
from healthpipe.stages.results import ResultPlace, Writer
from healthpipe.stages.segments import (
    DATA,
    DESCRIPTION,
    describe_segment,
    files_not_in,
    usable_segments,
)
from healthpipe.workflow.input_reader import MANIFEST
from healthpipe.workflow.notifications import failure_of, open_notifier, record_delivery
from healthpipe.workflow.stage_run import accounted, deliver_results, provenance
from healthpipe.workflow.steps.context import StepContext
from healthpipe.workflow.steps.release import sync_tables


def curate(work: StepContext) -> dict[str, Any]:
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
            answered=resolutions_in(work.root, manifest.uris),
        )
    work.run.write_json(BALANCE, counted.to_json())
    for kept in (REJECTS, ISSUES):
        work.run.deliver(kept, work.scratch / kept)
    facts = accounted(manifest, counted)
    own = fingerprint(manifest_inputs(manifest), work.options)
    work.run.note(**facts, fingerprint=own)
    return {"segments": segments, **facts}


def _segments_for(work: StepContext, engine: Engine, manifest: Manifest, reading: int) -> list[str]:
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


def _part_of(work: StepContext, files: Sequence[InputFile], reading: int) -> str:
    """The place in a segment's folder for one reading of these files alone.

    A step that is called again finds the queries of its earlier calls by their text, which names
    this place: a query that read the files before they changed must not be found.
    """
    content = hashlib.sha256(describe_segment(files, ())).hexdigest()
    return f"{work.attempt.number}/{reading}-{content[:8]}"


def _remove_superseded(work: StepContext, segments: Sequence[str]) -> None:
    """Remove what queries have written to the run's segment that failed, or read other files."""
    folder = f"{work.root.curated}/{work.run.run_id}"
    kept = {*segments, f"{folder}/{DESCRIPTION}"}
    for file in list(work.root.storage.list(folder)):
        if file.uri not in kept:
            work.root.storage.delete(file.uri)


def _write_segment(work: StepContext, engine: Engine, folder: str, part: str) -> list[str]:
    """Write the lines that were read to a segment's folder; returns the files' URIs."""
    if parts := engine.unload(CURATED_LINES, f"{folder}/{part}", Format.PARQUET):
        return sorted(parts)
    local = work.scratch / DATA
    engine.write(CURATED_LINES, local, Format.PARQUET)
    work.root.storage.deliver(local, f"{folder}/{DATA}")
    return [f"{folder}/{DATA}"]


# What a run that found nothing to do has in common with the live one.
SAME = ("input", "records", "issues")


def ingest(work: StepContext) -> dict[str, Any]:
    """Make the input manifest, unless the live run is what this one would come to."""
    _tell_of_dead_runs(work)
    if work.request.engine is EngineName.ATHENA:
        sync_tables(work.request.athena(), work.root, read_live(work.root).published)
    work.progress.step("looking for files")
    found = find_files(work.request.sources, work.root)
    inputs = found_inputs(found)
    own = fingerprint(inputs, work.options)
    live = _record_of_live(work)
    if live and not work.request.force and own == live.details.get("fingerprint"):
        facts = {name: live.details[name] for name in SAME}
        work.run.note(unchanged_since=live.run_id, **facts)
        return {"status": CallStatus.UNCHANGED}
    known = [InputFile.from_json(file) for file in work.attempt.notes.get("files", ())]
    try:
        manifest = work.intake.take_in(found, known)
    except IngestPaused as paused:
        work.attempt.notes["files"] = [asdict(file) for file in paused.files]
        raise
    return {"files": len(manifest.files)}


def _tell_of_dead_runs(work: StepContext) -> None:
    """Tell of each run that died at work, and clear up after it."""

    def tell(dead: Run) -> None:
        delivery = open_notifier(work.root, work.request).notify_failure(failure_of(dead, DIED))
        record_delivery(work.run, "failure", delivery)

    sweep(work.root, tell)


def _record_of_live(work: StepContext) -> RunRecord | None:
    live = read_live(work.root).run_id
    return Run(work.root, live).find_record() if live else None


def stage_step(name: PublishedStage) -> Callable[[StepContext], dict[str, Any]]:
    """The step that computes a stage from the curated segments."""

    def perform(work: StepContext) -> dict[str, Any]:
        stage = STAGES[name]
        outputs = stage.outputs(work.options, None)
        with work.engine() as engine:
            work.progress.step("computing the results", engine.progress)
            segments = work.result("Curate")["segments"]
            in_order = open_records(engine, work.options, segments, projections_of(outputs))
            origin = provenance(work.run.record, work.request.sources, work.root)
            place = ResultPlace(work.root.storage, f"{work.run.uri}/{name}/{work.attempt.number}")
            writer = Writer(engine, work.options, origin, in_order, place)
            local = work.scratch / "output"
            files = writer.write_all(outputs, local)
        uris = deliver_results(work.run, name, local, files)
        written = [
            {"stage": name.value, "name": file.name, "uri": uri, **file.to_json()}
            for file, uri in zip(files, uris, strict=True)
        ]
        return {"files": written}

    return perform
