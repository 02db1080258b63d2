"""What a run would read, ask and write, told without touching anything."""

import datetime
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import EngineName, Format, PublishedStage
from healthpipe.engines import open_dry_run
from healthpipe.engines.base import LineFile
from healthpipe.engines.dry_run import DryRunEngine
from healthpipe.ingest.manifest import FoundFile, FoundFiles
from healthpipe.ingest.sources import find_files
from healthpipe.runs.request import RunRequest
from healthpipe.stages.catalog import STAGES, projections_of
from healthpipe.stages.curate import (
    ACCOUNTED,
    CURATED_LINES,
    ISSUES,
    REJECTS,
    account,
    judge_lines,
    keep_records,
    open_records,
)
from healthpipe.stages.results import ResultPlace, Writer, summary_facts
from healthpipe.stages.segments import DATA
from healthpipe.workflow.stage_run import StageRequest

RUN = "RUN_ID"  # stands for the id of a run that there is none of


@dataclass(frozen=True)
class Plan:
    """What a run would do: the files it reads, the tables it makes for that, its statements, and
    where its results would lie.
    """

    inputs: FoundFiles
    tables: list[str]
    statements: list[str]
    destinations: list[str]

    def to_json(self) -> dict[str, Any]:
        """As documents show it."""
        return {
            "inputs": [file.uri for file in self.inputs.files],
            "skipped": list(self.inputs.skipped),
            "tables": self.tables,
            "statements": self.statements,
            "destinations": self.destinations,
        }


def plan_stage(request: StageRequest) -> Plan:
    """The plan of a stage that is run by hand. Raises `SourceNotFound`."""
    found = find_files(request.sources, request.root)
    run = request.root.run(RUN)
    with _rehearsed(request.engine, request.athena, run) as (engine, folder):
        judge_lines(engine, _lines(found.files))
        keep_records(engine, request.options, projections_of(request.outputs))
        account(engine, request.options, folder, landed={})
        place = None if request.output else _place(engine, run, request.stage.name)
        writer = Writer(engine, request.options, {}, place=place)
        writer.write_all(request.outputs, folder / request.stage.name)
        summary_facts(engine, request.stage)
    target = request.output or f"{run}/{request.stage.name}"
    is_file = request.output is not None and not request.stage.is_folder
    names = [view.file_name(fmt) for view, fmt in request.outputs]
    results = [target] if is_file else [f"{target}/{name}" for name in names]
    kept = [f"{run}/{REJECTS}", f"{run}/{ISSUES}", *results]
    return Plan(found, engine.tables, engine.script, kept)


def plan_workflow(request: RunRequest, today: datetime.date) -> Plan:
    """The plan of a run of the workflow that has no earlier segments to use."""
    root, options = request.opened_root(), request.options(today)
    found = find_files(request.sources, root)
    run, segment = root.run(RUN), f"{root.curated}/{RUN}/{DATA}"
    results = []
    with _rehearsed(request.engine, request.athena(), run) as (engine, folder):
        engine.read_lines(_lines(found.files))
        parts = engine.unload(CURATED_LINES, f"{root.curated}/{RUN}/1", Format.PARQUET)
        if parts is None:
            engine.write(CURATED_LINES, folder / DATA, Format.PARQUET)
        segments = parts or [segment]
        open_records(engine, options, segments, ACCOUNTED)
        account(engine, options, folder, landed={})
        for name in PublishedStage:
            outputs = STAGES[name].outputs(options, None)
            open_records(engine, options, segments, projections_of(outputs))
            writer = Writer(engine, options, {}, place=_place(engine, run, name))
            writer.write_all(outputs, folder / name)
            results += [f"{name}/{view.file_name(fmt)}" for view, fmt in outputs]
    kept = [
        *segments,
        f"{run}/{REJECTS}",
        f"{run}/{ISSUES}",
        *(f"{run}/{each}" for each in results),
    ]
    published = [f"{root.published(RUN)}/{each.partition('/')[2]}" for each in results]
    return Plan(found, engine.tables, engine.script, [*kept, *published, root.pointer])


def _place(engine: DryRunEngine, run: str, stage: str) -> ResultPlace:
    return ResultPlace(engine.storage, f"{run}/{stage}/1")


def _lines(files: Sequence[FoundFile]) -> list[LineFile]:
    """Files as an engine reads them, none of them landed: nobody has looked into them."""
    return [LineFile(file.uri, file.source, file.folder_date, False, 0) for file in files]


@contextmanager
def _rehearsed(
    name: EngineName, settings: AthenaSettings, run: str
) -> Iterator[tuple[DryRunEngine, Path]]:
    """An engine that only says its statements, and a folder; both are gone after the block.

    In the statements the run's place stands for the folder.
    """
    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        with open_dry_run(name, Path(folder), settings, run) as engine:
            yield engine, Path(folder)
        engine.script[:] = [text.replace(folder, run) for text in engine.script]
