"""The stages whose outputs are published: Extract, FilterExpiring, StateCounts."""

from collections.abc import Callable
from typing import Any

from healthpipe.choices import PublishedStage
from healthpipe.stages.catalog import STAGES
from healthpipe.stages.curate import open_records
from healthpipe.stages.parts import ResultPlace
from healthpipe.stages.results import Writer
from healthpipe.stages.view import carried_by
from healthpipe.workflow.results import deliver_results, provenance
from healthpipe.workflow.steps.context import Work


def step_of(name: PublishedStage) -> Callable[[Work], dict[str, Any]]:
    """The step that computes a stage from the curated segments."""

    def perform(work: Work) -> dict[str, Any]:
        stage = STAGES[name]
        outputs = stage.outputs(work.options, None)
        with work.engine() as engine:
            work.progress.step("computing the results", engine.progress)
            segments = work.result("Curate")["segments"]
            in_order = open_records(engine, work.options, segments, carried_by(outputs))
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
