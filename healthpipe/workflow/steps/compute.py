"""The steps that read and compute: Ingest, Curate, and the stages that are published."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

from healthpipe.choices import EngineName, PublishedStage
from healthpipe.engines.base import SegmentRows
from healthpipe.errors import RunNotFound, ServiceFailed
from healthpipe.ingest.lander import IngestPaused
from healthpipe.ingest.manifest import InputFile, Manifest
from healthpipe.ingest.sources import find_files
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.cleanup import DIED, sweep
from healthpipe.runs.record import CallStatus, RunRecord
from healthpipe.runs.request import fingerprint, found_inputs, manifest_inputs
from healthpipe.runs.run import Run
from healthpipe.stages.catalog import STAGES
from healthpipe.stages.compute import (
    Accounting,
    ComputeRequest,
    ComputeResult,
    CuratedLines,
    Measurement,
    StageOutputs,
    compute,
)
from healthpipe.stages.curate import PackedLines
from healthpipe.stages.figures import LiveFacilities
from healthpipe.stages.results import ResultPlace
from healthpipe.stages.segment_writer import SegmentWriter
from healthpipe.stages.segments import forget_segments
from healthpipe.workflow.input_reader import MANIFEST
from healthpipe.workflow.steps.context import StepContext
from healthpipe.workflow.steps.notify import failure_of, open_notifier, record_delivery
from healthpipe.workflow.steps.release import sync_tables

FACILITIES_FOLDER = "facilities"
# The details that a run which found nothing to do takes over from the live run.
UNCHANGED_DETAILS = ("input", "records", "issues")


def ingest(context: StepContext) -> dict[str, Any]:
    """Make the input manifest, unless this run would have the same results as the live one.

    Cleans up after dead runs first.
    """
    _clean_up_dead_runs(context)
    if context.request.engine is EngineName.ATHENA:
        sync_tables(context.request.athena(), context.root, read_live(context.root).published)
    context.progress.step("looking for files")
    found = find_files(context.request.sources, context.root)
    own = fingerprint(found_inputs(found), context.options)
    live = _record_of_live(context)
    if live and not context.request.force and own == live.fingerprint:
        details = {name: live.details[name] for name in UNCHANGED_DETAILS}
        context.run.note(unchanged_since=live.run_id, **details)
        return {"status": CallStatus.UNCHANGED}
    known = [InputFile.from_json(file) for file in context.attempt.notes.get("files", ())]
    reader = context.input_reader
    try:
        manifest = reader.make_manifest(found, known)
    except IngestPaused as paused:
        context.attempt.notes["files"] = [asdict(file) for file in paused.files]
        raise
    return {"files": len(manifest.files)}


def _clean_up_dead_runs(context: StepContext) -> None:
    """Close the runs whose process died, and send an alert about each."""

    def alert(dead: Run) -> None:
        delivery = open_notifier(context.root, context.request).notify_failure(
            failure_of(dead, DIED)
        )
        record_delivery(context.run, "failure", delivery)

    sweep(context.root, alert)


def _record_of_live(context: StepContext) -> RunRecord | None:
    live = read_live(context.root).run_id
    return Run(context.root, live).find_record() if live else None


def curate(context: StepContext) -> dict[str, Any]:
    """Judge the lines of files that are in no segment yet; account for all lines of the run."""
    segments: list[SegmentRows] = []
    writer, readings = _writer(context), count(1)
    computed = ComputeResult(Manifest((), ()), are_unrivalled=False)

    def judge(files: Manifest) -> None:
        segments[:] = writer.segments_for(files, next(readings))

    def account(files: Manifest) -> None:
        nonlocal computed
        writer.remove_superseded(segments)
        segments[:] = writer.merge(files, segments)
        context.run.keep_segments(segments)
        context.attempt.note(segments=[segment.folder for segment in segments])
        computed = _account(context, segments, files)

    listed = Manifest.from_json(context.run.read_json(MANIFEST))
    manifest = context.input_reader.read(listed, judge, account)
    context.run.keep_accounting(context.scratch, computed.counts)
    if computed.figures:
        context.run.keep_figures(context.scratch, computed.figures)
    details = computed.counts_document()
    own = fingerprint(manifest_inputs(manifest), context.options)
    context.run.note(**details, fingerprint=own)
    return {"are_unrivalled": computed.are_unrivalled, **details}


def _measurement(context: StepContext, manifest: Manifest) -> Measurement:
    """What the figures are compared with: the run that is live now, as far as it is known."""
    uri = f"{context.run.uri}/{FACILITIES_FOLDER}/{context.attempt.number}"
    live = read_live(context.root).run_id
    if live is None:
        return Measurement(None, uri)
    run = Run(context.root, live)
    arrived, figures = _arrived(run, manifest), run.find_figures()
    known = [f"{run.uri}/{name}" for name in (figures.facilities if figures else ())]
    is_whole = all(context.root.storage.stat(each) for each in known)
    return Measurement(LiveFacilities(live, arrived, known if is_whole else ()), uri)


def _arrived(live: Run, manifest: Manifest) -> list[str] | None:
    """The names of the files that the live run has not read; None where nobody knows what it read.

    By their names and versions: a URI depends on the folder that a run was started in.
    """
    try:
        inputs = Manifest.from_json(live.read_json(MANIFEST))
    except (RunNotFound, ServiceFailed):
        return None
    read = {(file.source, file.version) for file in inputs.files if file.version}
    return [file.source for file in manifest.files if (file.source, file.version) not in read]


def _account(
    context: StepContext, segments: Sequence[SegmentRows], files: Manifest
) -> ComputeResult:
    """Account for the lines of segments. Raises `PackedLines`, and has nobody use a segment then
    that has such lines.
    """
    accounting = Accounting(context.scratch, context.root, _measurement(context, files))
    request = ComputeRequest(CuratedLines(segments, files), context.options, accounting)
    # Called again after files changed, it must not find queries about the segments before.
    paths = "".join(path for segment in segments for path in segment.paths)
    with context.engine(_digest(paths.encode())) as engine:
        try:
            return compute(engine, request, context.progress)
        except PackedLines as packed:
            lost = [file for file in files.files if file.source in packed.sources]
            forget_segments([context.root], lost)
            raise


def _writer(context: StepContext) -> SegmentWriter:
    return SegmentWriter(
        [context.root],
        context.run.uri,
        context.request.engine,
        context.options,
        context.scratch,
        context.attempt.number,
        context.engine,
        context.progress,
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def stage_step(name: PublishedStage) -> Callable[[StepContext], dict[str, Any]]:
    """The step that computes a stage from the segments of Curate."""

    def run_stage(context: StepContext) -> dict[str, Any]:
        stage, folder = STAGES[name], context.scratch / "output"
        outputs = StageOutputs(
            stage,
            stage.outputs(context.options, None),
            folder,
            lambda: context.run.provenance(context.request.sources),
            ResultPlace(context.root.storage, f"{context.run.uri}/{name}/{context.attempt.number}"),
        )
        with context.engine() as engine:
            context.progress.step("computing the results", engine.progress)
            are_unrivalled = context.result("Curate")["are_unrivalled"]
            records = CuratedLines(context.run.segments, are_unrivalled=are_unrivalled)
            computed = compute(engine, ComputeRequest(records, context.options, outputs=outputs))
        uris = context.run.deliver_results(name, folder, computed.files)
        written = [
            {"stage": name.value, "name": file.name, "uri": uri, **file.to_json()}
            for file, uri in zip(computed.files, uris, strict=True)
        ]
        return {"files": written}

    return run_stage
