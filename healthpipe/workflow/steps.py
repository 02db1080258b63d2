"""The steps of the workflow, by name. They find what they need in the run's folder."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthpipe.engines import open_engine
from healthpipe.engines.base import Engine
from healthpipe.ingest.manifest import Manifest
from healthpipe.stages.answers import answered_by
from healthpipe.stages.catalog import STAGES
from healthpipe.stages.curate import BALANCE, CURATED_LINES, ISSUES, REJECTS, account, open_records
from healthpipe.stages.options import StageOptions
from healthpipe.stages.publish import Live, Publication, publish, read_live
from healthpipe.stages.segments import (
    DATA,
    DESCRIPTION,
    describe_segment,
    files_not_in,
    usable_segments,
)
from healthpipe.stages.writing import Writer
from healthpipe.words import EngineName, Format, PublishedStage
from healthpipe.workflow.intake import MANIFEST, Intake
from healthpipe.workflow.progress import Progress
from healthpipe.workflow.results import accounted, provenance
from healthpipe.workflow.runs import Run


@dataclass(frozen=True)
class Job:
    """What a run of the workflow is to do."""

    sources: Sequence[str]
    options: StageOptions
    engine: EngineName


class Steps:
    """The steps of one run. Each leaves its result as `steps/<name>.json` in the run's folder."""

    def __init__(self, run: Run, job: Job, progress: Progress) -> None:
        self._run = run
        self._job = job
        self._progress = progress
        self._engines: set[Engine] = set()
        self.by_name: dict[str, Callable[[], dict[str, Any]]] = {
            "Ingest": self._ingest,
            "Curate": self._curate,
            "Extract": lambda: self._stage(PublishedStage.EXTRACT),
            "FilterExpiring": lambda: self._stage(PublishedStage.FILTER_EXPIRING),
            "StateCounts": lambda: self._stage(PublishedStage.STATE_COUNTS),
            "Publish": self._publish,
            "Cleanup": self._cleanup,
        }

    def perform(self, name: str) -> None:
        """Do a step and keep its result."""
        self._run.write_json(f"steps/{name}.json", self.by_name[name]())

    def result(self, name: str) -> dict[str, Any]:
        """What a step left."""
        return self._run.read_json(f"steps/{name}.json")

    def stop(self) -> None:
        """Cancel what the engines of all steps are doing."""
        for engine in list(self._engines):
            engine.cancel()

    def _ingest(self) -> dict[str, Any]:
        self._progress.step("looking for files")
        # What is live now is what this run will replace, and nothing newer.
        live = read_live(self._run.root)
        manifest = self._intake.take_in()
        return {"files": len(manifest.files), "live": live.document, "etag": live.etag}

    def _curate(self) -> dict[str, Any]:
        segments: list[str] = []
        manifest = Manifest.from_json(self._run.read_json(MANIFEST))
        with self._engine("Curate") as engine:
            self._progress.step(f"reading {len(manifest.files)} files", engine.progress)

            def curate(files: Manifest) -> None:
                segments[:] = self._segments_for(engine, files)

            manifest = self._intake.read(manifest, curate)
            self._progress.step("accounting for every line", engine.progress)
            open_records(engine, self._job.options, segments)
            counted = account(
                engine,
                self._job.options,
                self._scratch("Curate"),
                landed=manifest.landed_lines,
                answered=answered_by(self._run.root, manifest.uris),
            )
        self._run.write_json(BALANCE, counted.to_json())
        for kept in (REJECTS, ISSUES):
            self._run.deliver(kept, self._scratch("Curate") / kept)
        return {"segments": segments, **accounted(manifest, counted)}

    def _segments_for(self, engine: Engine, manifest: Manifest) -> list[str]:
        """Segments that hold the files, a new one for those that no earlier run has curated."""
        root, storage = self._run.root, self._run.root.storage
        known = usable_segments(root, manifest.files)
        new = files_not_in(known, manifest.files)
        uris = [segment.uri for segment in known]
        if new:
            engine.read_lines([file.as_lines() for file in new])
            local = self._scratch("Curate") / DATA
            engine.write(CURATED_LINES, local, Format.PARQUET)
            folder = f"{root.curated}/{self._run.record.run_id}"
            storage.deliver(local, f"{folder}/{DATA}")
            storage.write(f"{folder}/{DESCRIPTION}", describe_segment(new))
            uris.append(f"{folder}/{DATA}")
        return uris

    def _stage(self, name: PublishedStage) -> dict[str, Any]:
        stage, options, run = STAGES[name], self._job.options, self._run
        local = self._scratch(name) / "output"
        with self._engine(name) as engine:
            self._progress.step("computing the results", engine.progress)
            in_order = open_records(engine, options, self.result("Curate")["segments"])
            origin = provenance(run.record, self._job.sources, run.root)
            writer = Writer(engine, options, origin, in_order)
            files = writer.write_all(stage.outputs(options, None), local)
        uri = run.deliver_folder(name, local)
        written = [
            {"stage": name.value, "uri": f"{uri}/{file.name}", **file.to_json()} for file in files
        ]
        return {"files": written}

    def _publish(self) -> dict[str, Any]:
        self._progress.step("publishing")
        noted = self.result("Ingest")
        steps = ("Extract", "FilterExpiring", "StateCounts")
        outputs = [file for step in steps for file in self.result(step)["files"]]
        record = self._run.record
        publication = Publication(
            record.run_id, record.as_of.isoformat(), self._job.options.to_json(), outputs
        )
        before = Live(noted["live"], noted["etag"])
        return publish(self._run.root, publication, before, uuid.uuid4().hex)

    def _cleanup(self) -> dict[str, Any]:
        self._run.root.storage.delete_folder(str(self._run.scratch))
        return {}

    @property
    def _intake(self) -> Intake:
        return Intake(self._run, self._job.sources)

    def _scratch(self, step: str) -> Path:
        folder = self._run.scratch / step
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def _engine(self, step: str) -> Iterator[Engine]:
        with open_engine(self._job.engine, self._scratch(step)) as engine:
            self._engines.add(engine)
            try:
                yield engine
            finally:
                self._engines.discard(engine)
