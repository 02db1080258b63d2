"""A stage run by hand: what is asked for, and what it came to.

A stage run by hand: from raw lines to its result in one pass, as a run of its own.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import EngineName, Format
from healthpipe.engines import open_engine
from healthpipe.engines.base import EngineContext
from healthpipe.ingest.manifest import FoundFiles, Manifest
from healthpipe.ingest.sources import find_files
from healthpipe.progress import NoProgress, Progress
from healthpipe.runs.attempts import RunQueryLog
from healthpipe.runs.cleanup import sweep_stages, try_stop_run_queries
from healthpipe.runs.record import (
    Execution,
    QueryUsage,
    RunRecord,
    RunStatus,
    as_json,
    scan_cost,
    utc_now,
)
from healthpipe.runs.run import Run
from healthpipe.stages.catalog import Stage, View, projections_of
from healthpipe.stages.curate import (
    BALANCE,
    ISSUES,
    REJECTS,
    RunCounts,
    account,
    judge_lines,
    keep_records,
)
from healthpipe.stages.options import StageOptions
from healthpipe.stages.resolutions import resolutions_in
from healthpipe.stages.results import (
    PreviewTable,
    ResultPlace,
    Writer,
    WrittenFile,
    preview_of,
    summary_facts,
)
from healthpipe.storage import open_storage
from healthpipe.storage.layout import Root
from healthpipe.workflow.input_reader import InputReader

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class StageRequest:
    """A stage to run: over what, with which meaning, and where its result goes.

    Without `format` each output has its own. `output` is a URI outside the run (a folder's, of a
    stage that writes one), or None for the run's own folder; of one that `is_printed` nobody
    needs to know the name.
    """

    stage: Stage
    root: Root
    sources: Sequence[str]
    options: StageOptions
    format: Format | None = None
    output: str | None = None
    engine: EngineName = EngineName.DUCKDB
    athena: AthenaSettings = field(default_factory=AthenaSettings)
    progress: Progress = field(default_factory=NoProgress)
    with_preview: bool = False
    is_printed: bool = False

    @property
    def outputs(self) -> tuple[tuple[View, Format], ...]:
        """The views to write and their formats, the main one first; to a named file only that."""
        outputs = self.stage.outputs(self.options, self.format)
        return outputs if self.stage.is_folder or self.output is None else outputs[:1]


@dataclass(frozen=True)
class StageResult:
    """What a stage run by hand came to."""

    request: StageRequest
    run_id: str
    manifest: Manifest
    account: RunCounts
    path: str
    files: list[WrittenFile]
    facts: dict[str, int]
    preview: PreviewTable | None
    queries: list[QueryUsage]
    elapsed_s: float

    @property
    def record_folder(self) -> str:
        """Where the run's record, manifest, rejects and issues lie."""
        return self.request.root.run(self.run_id)

    def to_json(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "command": self.request.stage.name,
            "run_id": self.run_id,
            "status": "succeeded",
            "engine": self.request.engine.value,
            "as_of": self.request.options.as_of.isoformat(),
            **accounted(self.manifest, self.account),
            "output": self._output(),
            "queries": as_json(self.queries),
            **scan_cost(self.queries),
            "elapsed_s": round(self.elapsed_s, 3),
        }

    def _output(self) -> dict[str, Any]:
        """The main file, or the folder with the sums of its files; all files if more than one."""
        main = {"path": self.path, **self.files[0].to_json()}
        if len(self.files) == 1:
            return main
        each = [{"path": file.uri, **file.to_json()} for file in self.files]
        if is_folder(self.request.stage, self.files):
            rows, size = sum(file.rows for file in self.files), sum(f.bytes for f in self.files)
            main |= {"rows": rows, "bytes": size, "sha256": None}
        return main | {"files": each}


def is_folder(stage: Stage, files: Sequence[WrittenFile]) -> bool:
    """Whether the result of a stage is a folder of files: several views, or parts of one."""
    main = [file for file in files if (file.view, file.format) == (files[0].view, files[0].format)]
    return stage.is_folder or len(main) > 1


def deliver_results(run: Run, name: str, local: Path, files: Sequence[WrittenFile]) -> list[str]:
    """Put the files of a stage in their place in the run; returns where each lies.

    Local files go as one folder, but for those beside which an engine elsewhere has put others.
    """
    if all(file.uri is None for file in files):
        uri = run.deliver_folder(name, local)
        return [f"{uri}/{file.name}" for file in files]
    return [file.uri or run.deliver(f"{name}/{file.name}", local / file.name) for file in files]


def provenance(record: RunRecord, sources: Sequence[str], root: Root) -> dict[str, Any]:
    """Where the rows of a result come from, as documents tell it."""
    return {
        "run_id": record.run_id,
        "as_of": record.as_of.isoformat(),
        "generated_at": utc_now(),
        "sources": list(sources) or [root.raw],
        "engine": record.engine,
        "query_ids": [query.id for query in record.queries],
    }


def accounted(manifest: Manifest, counted: RunCounts) -> dict[str, Any]:
    """Input, records and issues as documents show them."""
    balance = counted.balance
    return {
        "input": {
            "files": len(manifest.files),
            "bytes": manifest.bytes,
            "skipped": len(manifest.skipped),
        },
        "records": {
            "lines": balance.lines,
            "accepted": balance.accepted,
            "rejected": balance.rejected,
            "superseded": balance.superseded,
            "resolved": balance.resolved,
        },
        "issues": counted.issues,
    }


FIRST_ATTEMPT = 1  # and last: a stage by hand is not tried again


def run_stage(request: StageRequest) -> StageResult:
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
        try_stop_run_queries(run)
        run.fail(error)
        raise
    finally:
        run.release()
    return result


def _record(request: StageRequest) -> RunRecord:
    record = RunRecord(
        run_id=Execution.now().run_id,
        command=request.stage.name,
        engine=request.engine.value,
        as_of=request.options.as_of,
        options=request.options.to_json(),
    )
    if request.engine is EngineName.ATHENA:
        record.athena = request.athena
    return record


def _result(request: StageRequest, run: Run, found: FoundFiles) -> StageResult:
    began = time.monotonic()
    stage, options, progress = request.stage, request.options, request.progress
    intake = InputReader(run, request.sources, request.engine, progress)
    carried = projections_of(request.outputs)
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
            answered=resolutions_in(run.root, manifest.uris),
        )
        progress.step("writing the result", engine.progress)
        origin = provenance(run.record, request.sources, request.root)
        writer = Writer(engine, options, origin, in_order, _place(request, run))
        files = writer.write_all(request.outputs, run.scratch / stage.name)
        facts = summary_facts(engine, stage)
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


def _workplace(run: Run) -> EngineContext:
    journal = RunQueryLog(run)
    return EngineContext(run.scratch, run.attempts, run.root.storage, run.run_id, journal)


def _place(request: StageRequest, run: Run) -> ResultPlace | None:
    """Where an engine elsewhere may write: a named output is one file, which is made here."""
    if request.output is not None:
        return None
    return ResultPlace(run.root.storage, f"{run.uri}/{request.stage.name}/{FIRST_ATTEMPT}")


def _deliver(request: StageRequest, run: Run, written: Sequence[WrittenFile]) -> list[WrittenFile]:
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


def _path(request: StageRequest, run: Run, files: Sequence[WrittenFile]) -> str:
    """The path of a result's main file, or of its folder."""
    if request.is_printed:
        return "-"
    if is_folder(request.stage, files):
        return request.output or f"{run.uri}/{request.stage.name}"
    return str(files[0].uri)
