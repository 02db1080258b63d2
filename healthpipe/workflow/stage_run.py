"""Run one stage by hand, as a run of its own, from curated segments or from raw lines."""

import datetime
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import KEPT_DAYS, EngineName, Format
from healthpipe.contract import WHOLE_FILE
from healthpipe.engines import open_engine
from healthpipe.engines.base import Engine, EngineContext
from healthpipe.errors import LockHeld, NothingAccepted, UsageError
from healthpipe.ingest.manifest import FoundFiles, InputFile
from healthpipe.ingest.sources import find_files
from healthpipe.progress import NoProgress, Progress
from healthpipe.publishing.prune import plan_prune, remove_planned
from healthpipe.runs.attempts import RunQueryLog
from healthpipe.runs.cleanup import sweep_stages, try_stop_run_queries
from healthpipe.runs.locks import root_locked
from healthpipe.runs.record import Execution, QueryUsage, RunRecord, RunStatus, as_json, scan_cost
from healthpipe.runs.run import Run
from healthpipe.stages.catalog import Outputs, Stage, projections_of
from healthpipe.stages.compute import (
    Accounting,
    ComputeRequest,
    ComputeResult,
    RawLines,
    RecordSource,
    StageOutputs,
    compute,
)
from healthpipe.stages.curate import Projection
from healthpipe.stages.options import StageOptions
from healthpipe.stages.results import ResultPlace, WrittenFile
from healthpipe.stages.rules import BY_REASON
from healthpipe.stages.segment_writer import SegmentWriter
from healthpipe.stages.segments import find_segments
from healthpipe.storage import open_storage
from healthpipe.storage.layout import Root, open_root
from healthpipe.workflow.input_reader import InputReader, where_records_lie
from healthpipe.workflow.stage_records import choose_stores, reused_lines

log = logging.getLogger("healthpipe")
SCHEMA_VERSION = 1
# What the document of an error has of that of a result.
DETAILS = ("run_id", "engine", "as_of", "input", "records", "issues", "output", "queries")
FIRST_ATTEMPT = 1  # and last: a stage by hand is not tried again


@dataclass(frozen=True)
class StageRequest:
    """A stage to run: over which sources, with which meaning, and where its result goes.

    Without `format` each output has its own. `output` is a URI outside the run (a folder's, of a
    stage that writes one), or None for the run's own folder. One that `is_printed` is a temporary
    file whose name nobody is shown.

    By default the judged lines of files in the root are kept in its curated segments and read from
    there; if it `is_cached`, those of other files in the user's cache, too; if not, neither.
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
    is_cached: bool | None = None

    @property
    def outputs(self) -> Outputs:
        """The views to write and their formats; to a named file only the main one."""
        outputs = self.stage.outputs(self.options, self.format)
        return outputs if self.stage.is_folder or self.output is None else outputs[:1]


@dataclass(frozen=True)
class StageResult:
    """The result of a stage run by hand.

    `path` is the main file or the folder of `files`, which have their URIs here; `record_folder`
    has the run's record, manifest, rejects and issues; `queries` are those that ran elsewhere.
    """

    request: StageRequest
    run_id: str
    record_folder: str
    computed: ComputeResult
    path: str
    files: Sequence[WrittenFile]
    queries: list[QueryUsage]
    elapsed_s: float

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "command": self.request.stage.name,
            "run_id": self.run_id,
            "status": "succeeded",
            "engine": self.request.engine.value,
            "as_of": self.request.options.as_of.isoformat(),
            **self.computed.counts_document(),
            "output": self._output(),
            "queries": as_json(self.queries),
            **scan_cost(self.queries),
            "elapsed_s": round(self.elapsed_s, 3),
        }

    @property
    def is_usable(self) -> bool:
        """Whether a line was accepted, or all that were rejected are repaired, or there is none."""
        balance = self.computed.counts.balance
        return balance.accepted > 0 or balance.rejected == balance.resolved

    def require_usable(self) -> None:
        """Raise `NothingAccepted` if every line was rejected; it says where records may be."""
        if self.is_usable:
            return
        computed, root = self.computed, self.request.root
        rules = [BY_REASON[each] for each in WHOLE_FILE if each in computed.counts.issues]
        sources = [file.source for file in computed.counts.files]
        places = where_records_lie(computed.manifest, sources, root.access)
        rejected = f"nothing was accepted, {computed.counts.balance.rejected:,} rejected"
        command = root.command("quarantine", "list", self.run_id)
        raise NothingAccepted(
            "; ".join((rejected, *(rule.meaning for rule in rules), *places)),
            "; ".join((*(rule.advice for rule in rules), f"look at `{command}`")),
            {name: self.document[name] for name in DETAILS},
        )

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


def run_stage(request: StageRequest) -> StageResult:
    """Run one stage. Its record is kept whatever happens; its result only if it succeeds.

    Raises `HealthpipeError`.
    """
    found = find_files(request.sources, request.root)  # before anything is written
    root = request.root
    if is_read_only(root, root.runs):
        request = _recorded_elsewhere(request)
    else:
        sweep_stages(root)
    with _recorded_run(request) as run:
        result = _compute(request, run, found, root)
        run.note(**{key: result.document[key] for key in ("input", "records", "issues", "output")})
    return result


def is_read_only(root: Root, folder: str) -> bool:
    """Whether a root on this machine is there, and nothing can be written to its folder."""
    if root.is_remote or not Path(root.uri).exists():
        return False
    return not os.access(folder if Path(folder).exists() else root.uri, os.W_OK | os.X_OK)


def _recorded_elsewhere(request: StageRequest) -> StageRequest:
    """The same request with a root in the user's own folder for state, which only they read.

    Runs there that are too old are removed. Raises `UsageError` where no such folder can be made.
    """
    folder = _state_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "runs").mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the record of this run can be kept neither in {request.root.uri} nor in {folder}",
            "set XDG_STATE_HOME to a folder that may be written to",
        ) from error
    root = open_root(str(folder), request.root.access)
    sweep_stages(root)
    with suppress(LockHeld), root_locked(root, "runs prune", 0):
        today = datetime.datetime.now(datetime.UTC).date()
        remove_planned(root, plan_prune(root, keep=0, days=KEPT_DAYS, today=today))
    log.warning(
        "%s cannot be written to: the record of this run and the lines that it rejects are kept"
        " in %s for %d days; list them with `%s`",
        request.root.uri,
        folder,
        KEPT_DAYS,
        root.command("runs", "list", all=True),
    )
    sources = tuple(request.sources) or (f"{request.root.absolute_uri}/raw",)
    return replace(request, root=root, sources=sources)


def _state_folder() -> Path:
    """The user's folder for what is kept between runs. Raises `UsageError`."""
    parent = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        return Path(parent).expanduser().absolute() / "healthpipe"
    except RuntimeError as error:  # the user has no home directory
        raise UsageError(
            "there is no folder to keep the record of this run in",
            "set XDG_STATE_HOME to a folder that may be written to",
        ) from error


@contextmanager
def _recorded_run(request: StageRequest) -> Iterator[Run]:
    """Begin a run; its record says at the end of the block how that ended."""
    record = RunRecord(
        run_id=Execution.now().run_id,
        command=request.stage.name,
        engine=request.engine.value,
        as_of=request.options.as_of,
        options=request.options.to_json(),
    )
    if request.engine is EngineName.ATHENA:
        record.athena = request.athena
    run = Run(request.root, record.run_id)
    run.begin(record)
    try:
        yield run
        run.finish(RunStatus.SUCCEEDED)
    except BaseException as error:
        try_stop_run_queries(run)
        run.fail(error)
        raise
    finally:
        run.release()


def _compute(request: StageRequest, run: Run, found: FoundFiles, root: Root) -> StageResult:
    """Read the files that were found, compute the stage, and put its files in their place.

    Below `root` repaired lines are looked up, also where the run is recorded elsewhere.
    """
    began = time.monotonic()
    log = RunQueryLog(run)
    context = EngineContext(run.scratch, run.attempts, run.root.storage, run.run_id, log)
    with open_engine(request.engine, context, request.athena) as engine:
        wanted = ComputeRequest(
            _records(request, run, found, root, engine),
            request.options,
            Accounting(run.scratch, root),
            _outputs(request, run),
        )
        computed = compute(engine, wanted, request.progress)
    files = _deliver(request, run, computed)
    return StageResult(
        request=request,
        run_id=run.run_id,
        record_folder=run.uri,
        computed=computed,
        path=_path(request, run, files),
        files=files,
        queries=run.record.queries,
        elapsed_s=time.monotonic() - began,
    )


def _records(
    request: StageRequest, run: Run, found: FoundFiles, root: Root, engine: Engine
) -> RecordSource:
    """Where the records are read from: curated segments, or else raw lines.

    No segment has the details that some stages show.
    """
    reader = InputReader(
        run, request.sources, request.engine, request.progress, request.options.unpack_limits
    )
    stores: list[Root] = []
    known: list[InputFile] = []
    if request.is_cached is not False and Projection.DETAILS not in projections_of(request.outputs):
        stores, known = choose_stores(
            root,
            found,
            partial(find_segments, null_words=request.options.null_words, engine=request.engine),
            can_keep=not any(is_read_only(root, each) for each in (root.runs, root.curated)),
            with_cache=bool(request.is_cached),
        )
    if not stores:
        return RawLines(reader.make_manifest(found), reader.read)
    writer = SegmentWriter(
        stores,
        run.uri,
        request.engine,
        request.options,
        run.scratch,
        FIRST_ATTEMPT,
        lambda: nullcontext(engine),
        request.progress,
    )
    reader = replace(reader, reusable=lambda: known)
    return reused_lines(run, reader, found, writer, with_cache=bool(request.is_cached))


def _outputs(request: StageRequest, run: Run) -> StageOutputs:
    """What the stage writes. A named output is one file, never parts that an engine has written."""
    place = None
    if request.output is None:
        uri = f"{run.uri}/{request.stage.name}/{FIRST_ATTEMPT}"
        place = ResultPlace(run.root.storage, uri)
    return StageOutputs(
        request.stage,
        request.outputs,
        run.scratch / request.stage.name,
        lambda: run.provenance(request.sources),
        place,
        with_facts=True,
        with_preview=request.with_preview,
    )


def _deliver(request: StageRequest, run: Run, computed: ComputeResult) -> list[WrittenFile]:
    """Move accounting to the run and the result to its output; returns files with their URIs."""
    run.keep_accounting(run.scratch, computed.counts)
    stage, folder = request.stage, run.scratch / request.stage.name
    if request.output is None:
        uris = run.deliver_results(stage.name, folder, computed.files)
    elif stage.is_folder:
        open_storage(request.output, request.athena.access).deliver_folder(folder, request.output)
        uris = [f"{request.output}/{file.name}" for file in computed.files]
    else:
        local = folder / computed.files[0].name
        open_storage(request.output, request.athena.access).deliver(local, request.output)
        uris = [request.output]
    return [replace(file, uri=uri) for file, uri in zip(computed.files, uris, strict=True)]


def _path(request: StageRequest, run: Run, files: Sequence[WrittenFile]) -> str:
    """The path of a result's main file, or of its folder."""
    if request.is_printed:
        return "-"
    if is_folder(request.stage, files):
        return request.output or f"{run.uri}/{request.stage.name}"
    return str(files[0].uri)


def is_folder(stage: Stage, files: Sequence[WrittenFile]) -> bool:
    """Whether the result of a stage is a folder of files: several views, or parts of one."""
    main = [file for file in files if (file.view, file.format) == (files[0].view, files[0].format)]
    return stage.is_folder or len(main) > 1
