"""The stages whose outputs are published: Extract, FilterExpiring, StateCounts."""

from collections.abc import Callable
from typing import Any

from healthpipe.stages.catalog import STAGES
from healthpipe.stages.curate import open_records
from healthpipe.stages.writing import Writer
from healthpipe.words import PublishedStage
from healthpipe.workflow.results import provenance
from healthpipe.workflow.steps.work import Work


def step_of(name: PublishedStage) -> Callable[[Work], dict[str, Any]]:
    """The step that computes a stage from the curated segments."""

    def perform(work: Work) -> dict[str, Any]:
        stage = STAGES[name]
        with work.engine() as engine:
            work.progress.step("computing the results", engine.progress)
            in_order = open_records(engine, work.options, work.result("Curate")["segments"])
            origin = provenance(work.run.record, work.request.sources, work.root)
            writer = Writer(engine, work.options, origin, in_order)
            local = work.scratch / "output"
            files = writer.write_all(stage.outputs(work.options, None), local)
        uri = work.run.deliver_folder(name, local)
        written = [
            {"stage": name.value, "uri": f"{uri}/{file.name}", **file.to_json()} for file in files
        ]
        return {"files": written}

    return perform
