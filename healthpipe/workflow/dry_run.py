"""Plan a run: which files it would read, which statements it would run, what it would write.

Nothing is read or written: `compute` gets an engine that only records its statements.
"""

import datetime
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import EngineName, PublishedStage
from healthpipe.engines import open_dry_run
from healthpipe.engines.base import SegmentRows
from healthpipe.engines.dry_run import DryRunEngine
from healthpipe.ingest.manifest import FoundFiles, InputFile, Manifest
from healthpipe.ingest.sources import find_files
from healthpipe.runs.request import RunRequest
from healthpipe.stages.catalog import STAGES, Outputs, Stage
from healthpipe.stages.compute import (
    Accounting,
    ComputeRequest,
    CuratedLines,
    RawLines,
    StageOutputs,
    compute,
)
from healthpipe.stages.curate import ISSUES, REJECTS, write_segment
from healthpipe.stages.results import Provenance, ResultPlace
from healthpipe.stages.segments import DATA, as_segment_file
from healthpipe.workflow.stage_run import StageRequest

RUN = "RUN_ID"  # stands for the id of the run


@dataclass(frozen=True)
class Plan:
    """The files that a run would read, the tables that it would make for that, its statements in
    their order, and the URIs of what it would write.
    """

    inputs: FoundFiles
    tables: list[str]
    statements: list[str]
    destinations: list[str]

    def to_json(self) -> dict[str, Any]:
        """The body of the `--json` document of a dry run."""
        return {
            "inputs": [file.uri for file in self.inputs.files],
            "skipped": [file.uri for file in self.inputs.skipped],
            "tables": self.tables,
            "statements": self.statements,
            "destinations": self.destinations,
        }


def plan_stage(request: StageRequest) -> Plan:
    """Plan a stage that is run by hand. Raises `SourceNotFound`."""
    found = find_files(request.sources, request.root)
    run = request.root.run(RUN)
    with _open_dry_run(request.engine, request.athena, run) as (engine, folder):
        place = None if request.output else _place(engine, run, request.stage)
        outputs = _outputs(request.stage, request.outputs, folder, place, with_facts=True)
        records, accounting = RawLines(_manifest(found)), Accounting(folder)
        compute(engine, ComputeRequest(records, request.options, accounting, outputs))
    target = request.output or f"{run}/{request.stage.name}"
    is_file = request.output is not None and not request.stage.is_folder
    names = [view.file_name(fmt) for view, fmt in request.outputs]
    results = [target] if is_file else [f"{target}/{name}" for name in names]
    kept = [f"{run}/{REJECTS}", f"{run}/{ISSUES}", *results]
    return Plan(found, engine.tables, engine.script, kept)


def plan_workflow(request: RunRequest, today: datetime.date) -> Plan:
    """Plan a run of the workflow that finds no earlier segments to reuse."""
    root, options = request.opened_root(), request.options(today)
    found = find_files(request.sources, root)
    run, segment = root.run(RUN), f"{root.curated}/{RUN}"
    results = []
    with _open_dry_run(request.engine, request.athena(), run) as (engine, folder):
        files = _manifest(found).files
        lines = [file.as_lines() for file in files]
        parts = write_segment(engine, lines, options, f"{segment}/1", folder / DATA)
        paths = tuple(parts or [f"{segment}/{DATA}"])
        segments = [SegmentRows(segment, paths, tuple(map(as_segment_file, files)))]
        compute(engine, ComputeRequest(CuratedLines(segments), options, Accounting(folder)))
        for name in PublishedStage:
            stage = STAGES[name]
            views = stage.outputs(options, None)
            outputs = _outputs(stage, views, folder, _place(engine, run, stage))
            compute(engine, ComputeRequest(CuratedLines(segments), options, outputs=outputs))
            results += [f"{name}/{view.file_name(fmt)}" for view, fmt in views]
    kept = [
        *paths,
        f"{run}/{REJECTS}",
        f"{run}/{ISSUES}",
        *(f"{run}/{each}" for each in results),
    ]
    published = [f"{root.published(RUN)}/{each.partition('/')[2]}" for each in results]
    return Plan(found, engine.tables, engine.script, [*kept, *published, root.pointer])


def _outputs(
    stage: Stage,
    outputs: Outputs,
    folder: Path,
    place: ResultPlace | None,
    *,
    with_facts: bool = False,
) -> StageOutputs:
    nothing = Provenance(RUN, "", "", (), "", ())  # of a document that is thrown away
    return StageOutputs(
        stage, outputs, folder / stage.name, lambda: nothing, place, with_facts=with_facts
    )


def _place(engine: DryRunEngine, run: str, stage: Stage) -> ResultPlace:
    return ResultPlace(engine.storage, f"{run}/{stage.name}/1")


def _manifest(found: FoundFiles) -> Manifest:
    """The files as they were found, none of them landed: nobody has looked into them."""
    files = (
        InputFile(
            uri=file.uri,
            source=file.source,
            size=0,
            version="",
            compression="none",
            folder_date=file.folder_date.isoformat() if file.folder_date else None,
        )
        for file in found.files
    )
    return Manifest(tuple(files), found.skipped)


@contextmanager
def _open_dry_run(
    name: EngineName, settings: AthenaSettings, run: str
) -> Iterator[tuple[DryRunEngine, Path]]:
    """An engine that only records its statements, and a folder; both are gone after the block.

    In the statements the run's URI stands for the folder.
    """
    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        with open_dry_run(name, Path(folder), settings, run) as engine:
            yield engine, Path(folder)
        engine.script[:] = [text.replace(folder, run) for text in engine.script]
