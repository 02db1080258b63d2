"""A stage run by hand: from raw lines to its result in one pass, as a run of its own."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from healthpipe.engines import open_engine
from healthpipe.ingest.manifest import Manifest
from healthpipe.ingest.sources import Found, find_files
from healthpipe.stages.curate import (
    ISSUES,
    REJECTS,
    Account,
    account,
    judge_lines,
    keep_records,
)
from healthpipe.stages.options import StageOptions
from healthpipe.stages.outputs import Preview, Stage, Target, Written, write_output
from healthpipe.storage import open_storage
from healthpipe.storage.layout import Root
from healthpipe.words import EngineName, Format
from healthpipe.workflow.intake import Intake
from healthpipe.workflow.progress import NoProgress, Progress
from healthpipe.workflow.runs import Execution, Run, RunRecord

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Request:
    """A stage to run: over what, with which meaning, and where its result goes.

    `output` is a URI outside the run, or None for the run's own folder; of one that `is_printed`
    nobody needs to know the name.
    """

    stage: Stage
    root: Root
    sources: Sequence[str]
    options: StageOptions
    format: Format
    output: str | None = None
    engine: EngineName = EngineName.DUCKDB
    progress: Progress = field(default_factory=NoProgress)
    with_preview: bool = False
    is_printed: bool = False


@dataclass(frozen=True)
class StageResult:
    """What a stage run by hand came to."""

    request: Request
    run_id: str
    manifest: Manifest
    account: Account
    path: str
    written: Written
    facts: dict[str, int]
    preview: Preview | None
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
            "output": {"path": self.path, **self.written.to_json()},
            "queries": [],
            "elapsed_s": round(self.elapsed_s, 3),
        }


def accounted(manifest: Manifest, counted: Account) -> dict[str, Any]:
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
        },
        "issues": counted.issues,
    }


def run_stage(request: Request) -> StageResult:
    """Run one stage. Its record is kept whatever happens; its result only when it is sound."""
    found = find_files(request.sources, request.root)  # before anything is written
    run = Run(request.root, _record(request))
    run.begin()
    try:
        result = _result(request, run, found)
    except BaseException as error:
        run.fail(error)
        raise
    document = result.to_json()
    run.record.details = {key: document[key] for key in ("input", "records", "issues", "output")}
    run.succeed()
    return result


def _record(request: Request) -> RunRecord:
    return RunRecord(
        run_id=Execution.now().run_id,
        command=request.stage.name,
        engine=request.engine.value,
        as_of=request.options.as_of,
        options=request.options.to_json(),
    )


def _result(request: Request, run: Run, found: Found) -> StageResult:
    began = time.monotonic()
    stage, options, progress = request.stage, request.options, request.progress
    intake = Intake(run, request.sources)
    progress.step(f"looking at {len(found.files)} files")
    manifest = intake.take_in(found)
    with open_engine(request.engine, run.scratch) as engine:
        progress.step(f"reading {len(manifest.files)} files", engine.progress)
        in_order = False

        def read(files: Manifest) -> None:
            nonlocal in_order
            judge_lines(engine, [file.as_lines() for file in files.files])
            in_order = keep_records(engine, options, stage.carried)

        manifest = intake.read(manifest, read)
        progress.step("accounting for every line", engine.progress)
        counted = account(engine, run.scratch)
        progress.step("writing the result", engine.progress)
        name = stage.file_name(request.format)
        target = Target(run.scratch / name, request.format)
        written = write_output(engine, stage, options, target, in_input_order=in_order)
        facts = stage.facts(engine)
        preview = stage.preview(engine, options) if request.with_preview else None
    path = _deliver(request, run, name)
    elapsed = time.monotonic() - began
    return StageResult(
        request, run.record.run_id, manifest, counted, path, written, facts, preview, elapsed
    )


def _deliver(request: Request, run: Run, name: str) -> str:
    for kept in (REJECTS, ISSUES):
        run.deliver(kept, run.scratch / kept)
    if request.output is None:
        return run.deliver(f"{request.stage.name}/{name}", run.scratch / name)
    open_storage(request.output).deliver(run.scratch / name, request.output)
    return "-" if request.is_printed else request.output
