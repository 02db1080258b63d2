"""A stage run by hand: from raw lines to its result in one pass, as a run of its own."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from healthpipe.choices import EngineName
from healthpipe.engines import open_engine
from healthpipe.engines.base import Workplace
from healthpipe.ingest.found import Found
from healthpipe.ingest.manifest import Manifest
from healthpipe.ingest.sources import find_files
from healthpipe.runs.cleanup import sweep_stages
from healthpipe.runs.record import Execution, RunRecord
from healthpipe.runs.run import Run
from healthpipe.stages.answers import answered_by
from healthpipe.stages.curate import BALANCE, ISSUES, REJECTS, account, judge_lines, keep_records
from healthpipe.stages.parts import ResultPlace
from healthpipe.stages.preview import facts_of, preview_of
from healthpipe.stages.results import Writer, Written
from healthpipe.stages.view import carried_by
from healthpipe.storage import open_storage
from healthpipe.workflow.ending import ATHENA, end_what_can_be
from healthpipe.workflow.input_reader import Intake
from healthpipe.workflow.journal import RunJournal
from healthpipe.workflow.results import Request, StageResult, deliver_results, is_folder, provenance
from healthpipe.workflow.words import RunStatus

FIRST_ATTEMPT = 1  # and last: a stage by hand is not tried again


def run_stage(request: Request) -> StageResult:
    """Run one stage. Its record is kept whatever happens; its result only when it is sound."""
    found = find_files(request.sources, request.root)  # before anything is written
    sweep_stages(request.root)
    record = _record(request)
    run = Run(request.root, record.run_id)
    run.begin(record)
    try:
        result = _result(request, run, found)
        document = result.to_json()
        run.note(**{key: document[key] for key in ("input", "records", "issues", "output")})
        run.finish(RunStatus.SUCCEEDED)
    except BaseException as error:
        end_what_can_be(run)
        run.fail(error)
        raise
    finally:
        run.let_go()
    return result


def _record(request: Request) -> RunRecord:
    return RunRecord(
        run_id=Execution.now().run_id,
        command=request.stage.name,
        engine=request.engine.value,
        as_of=request.options.as_of,
        options=request.options.to_json(),
        details={ATHENA: asdict(request.athena)} if request.engine is EngineName.ATHENA else {},
    )


def _result(request: Request, run: Run, found: Found) -> StageResult:
    began = time.monotonic()
    stage, options, progress = request.stage, request.options, request.progress
    intake = Intake(run, request.sources, request.engine, progress)
    carried = carried_by(request.outputs)
    manifest = intake.take_in(found)
    with open_engine(request.engine, _workplace(run), request.athena) as engine:
        progress.step(f"reading {len(manifest.files)} files", engine.progress)
        in_order = False

        def read(files: Manifest) -> None:
            nonlocal in_order
            judge_lines(engine, [file.as_lines() for file in files.files])
            in_order = keep_records(engine, options, carried)

        manifest = intake.read(manifest, read)
        progress.step("accounting for every line", engine.progress)
        counted = account(
            engine,
            options,
            run.scratch,
            landed=manifest.landed_lines,
            answered=answered_by(run.root, manifest.uris),
        )
        progress.step("writing the result", engine.progress)
        origin = provenance(run.record, request.sources, request.root)
        writer = Writer(engine, options, origin, in_order, _place(request, run))
        files = writer.write_all(request.outputs, run.scratch / stage.name)
        facts = facts_of(engine, stage)
        preview = None
        if request.with_preview:
            preview = preview_of(engine, stage, request.outputs[0][0], options)
    run.write_json(BALANCE, counted.to_json())
    files = _deliver(request, run, files)
    path = _path(request, run, files)
    elapsed = time.monotonic() - began
    return StageResult(
        request,
        run.run_id,
        manifest,
        counted,
        path,
        files,
        facts,
        preview,
        run.record.queries,
        elapsed,
    )


def _workplace(run: Run) -> Workplace:
    journal = RunJournal(run)
    return Workplace(run.scratch, run.attempts, run.root.storage, run.run_id, journal)


def _place(request: Request, run: Run) -> ResultPlace | None:
    """Where an engine elsewhere may write: a named output is one file, which is made here."""
    if request.output is not None:
        return None
    return ResultPlace(run.root.storage, f"{run.uri}/{request.stage.name}/{FIRST_ATTEMPT}")


def _deliver(request: Request, run: Run, written: Sequence[Written]) -> list[Written]:
    """Put the result in its place; returns its files with the URIs where they lie."""
    for kept in (REJECTS, ISSUES):
        run.deliver(kept, run.scratch / kept)
    stage, folder = request.stage, run.scratch / request.stage.name
    if request.output is None:
        uris = deliver_results(run, stage.name, folder, written)
    elif stage.is_folder:
        open_storage(request.output, request.athena.access).deliver_folder(folder, request.output)
        uris = [f"{request.output}/{file.name}" for file in written]
    else:
        local = folder / written[0].name
        open_storage(request.output, request.athena.access).deliver(local, request.output)
        uris = [request.output]
    return [replace(file, uri=uri) for file, uri in zip(written, uris, strict=True)]


def _path(request: Request, run: Run, files: Sequence[Written]) -> str:
    """The path of a result's main file, or of its folder."""
    if request.is_printed:
        return "-"
    if is_folder(request.stage, files):
        return request.output or f"{run.uri}/{request.stage.name}"
    return str(files[0].uri)
