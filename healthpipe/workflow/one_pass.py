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
from healthpipe.stages.preview import PreviewTable, facts_of, preview_of
from healthpipe.stages.view import Stage, View
from healthpipe.stages.writing import Writer, Written
from healthpipe.storage import open_storage
from healthpipe.storage.layout import Root
from healthpipe.words import EngineName, Format
from healthpipe.workflow.intake import Intake
from healthpipe.workflow.progress import NoProgress, Progress
from healthpipe.workflow.runs import Execution, Run, RunRecord, utc_now

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Request:
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

    request: Request
    run_id: str
    manifest: Manifest
    account: Account
    path: str
    files: list[Written]
    facts: dict[str, int]
    preview: PreviewTable | None
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
            "queries": [],
            "elapsed_s": round(self.elapsed_s, 3),
        }

    def _output(self) -> dict[str, Any]:
        """The main file, or the folder with the sums of its files; all files if more than one."""
        main = {"path": self.path, **self.files[0].to_json()}
        if len(self.files) == 1:
            return main
        folder = self.path if self.request.stage.is_folder else self.path.rpartition("/")[0]
        each = [{"path": f"{folder}/{file.name}", **file.to_json()} for file in self.files]
        if self.request.stage.is_folder:
            rows, size = sum(file.rows for file in self.files), sum(f.bytes for f in self.files)
            main |= {"rows": rows, "bytes": size, "sha256": None}
        return main | {"files": each}


def provenance(record: RunRecord, sources: Sequence[str], root: Root) -> dict[str, Any]:
    """Where the rows of a result come from, as documents tell it."""
    return {
        "run_id": record.run_id,
        "as_of": record.as_of.isoformat(),
        "generated_at": utc_now(),
        "sources": list(sources) or [root.raw],
        "engine": record.engine,
        "query_ids": [],
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
    carried = frozenset().union(*(view.carries for view, _ in request.outputs))
    progress.step(f"looking at {len(found.files)} files")
    manifest = intake.take_in(found)
    with open_engine(request.engine, run.scratch) as engine:
        progress.step(f"reading {len(manifest.files)} files", engine.progress)
        in_order = False

        def read(files: Manifest) -> None:
            nonlocal in_order
            judge_lines(engine, [file.as_lines() for file in files.files])
            in_order = keep_records(engine, options, carried)

        manifest = intake.read(manifest, read)
        progress.step("accounting for every line", engine.progress)
        counted = account(engine, run.scratch)
        progress.step("writing the result", engine.progress)
        origin = provenance(run.record, request.sources, request.root)
        writer = Writer(engine, options, origin, in_order)
        files = writer.write_all(request.outputs, run.scratch / stage.name)
        facts = facts_of(engine, stage)
        preview = None
        if request.with_preview:
            preview = preview_of(engine, stage, request.outputs[0][0], options)
    path = _deliver(request, run, files)
    elapsed = time.monotonic() - began
    return StageResult(
        request, run.record.run_id, manifest, counted, path, files, facts, preview, elapsed
    )


def _deliver(request: Request, run: Run, files: Sequence[Written]) -> str:
    """Put the result in its place; returns the path of its main file, or of its folder."""
    for kept in (REJECTS, ISSUES):
        run.deliver(kept, run.scratch / kept)
    stage, main = request.stage, files[0].name
    folder = run.scratch / stage.name
    if request.output is None:
        uri = run.deliver_folder(stage.name, folder)
        return uri if stage.is_folder else f"{uri}/{main}"
    storage = open_storage(request.output)
    if stage.is_folder:
        storage.deliver_folder(folder, request.output)
    else:
        storage.deliver(folder / main, request.output)
    return "-" if request.is_printed else request.output
