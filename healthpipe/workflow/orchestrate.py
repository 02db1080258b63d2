"""The whole workflow on this machine: the same file that Step Functions runs, interpreted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from healthpipe.errors import HealthpipeError, Interrupted
from healthpipe.ingest.sources import find_files
from healthpipe.stages.options import StageOptions
from healthpipe.stopping import Limit, limited
from healthpipe.storage.layout import Root
from healthpipe.words import EngineName
from healthpipe.workflow.language import definition
from healthpipe.workflow.language.errors import StateFailed
from healthpipe.workflow.language.events import Event, What
from healthpipe.workflow.language.interpreter import Interpreter
from healthpipe.workflow.pipeline import pipeline_path
from healthpipe.workflow.progress import NoProgress, Progress
from healthpipe.workflow.runs import Execution, Run, RunRecord, utc_now
from healthpipe.workflow.steps import Job, Steps

COMMAND = "orchestrate"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class WorkflowResult:
    """What a run of the workflow came to."""

    run: Run
    curated: dict[str, Any]
    production: dict[str, Any]
    elapsed_s: float

    def to_json(self) -> dict[str, Any]:
        """The document of `--json`."""
        record = self.run.record
        return {
            "schema_version": SCHEMA_VERSION,
            "command": COMMAND,
            "run_id": record.run_id,
            "status": record.status,
            "engine": record.engine,
            "as_of": record.as_of.isoformat(),
            **{key: self.curated[key] for key in ("input", "records", "issues")},
            "steps": record.steps,
            "production": self.production,
            "queries": [],
            "elapsed_s": round(self.elapsed_s, 3),
        }


@dataclass
class _LocalTasks:
    """Calls a step in this process; keeps the error that a failed one raised."""

    steps: Steps
    error: Exception | None = field(default=None)

    def call(self, resource: str, argument: Any, limit: Limit) -> dict[str, Any]:  # noqa: ARG002
        try:
            with limited(limit):
                self.steps.perform(argument["Payload"]["step"])
        except Interrupted:
            raise
        except Exception as error:
            self.error = self.error or error
            name = error.workflow_name if isinstance(error, HealthpipeError) else "Bug"
            raise StateFailed(name, type(error).__name__) from error
        return {}


def orchestrate(
    root: Root,
    sources: Sequence[str],
    options: StageOptions,
    engine: EngineName,
    progress: Progress | None = None,
) -> WorkflowResult:
    """Run the workflow. Its record is kept whatever happens; production changes only at the end."""
    machine = definition.load(pipeline_path())
    find_files(sources, root)  # before anything is written
    execution = Execution.now()
    record = RunRecord(execution.run_id, COMMAND, engine.value, options.as_of, options.to_json())
    run = Run(root, record)
    run.begin()
    steps = Steps(run, Job(sources, options, engine), progress or NoProgress())
    tasks = _LocalTasks(steps)
    context = {"Execution": {"Id": execution.name, "StartTime": execution.start.isoformat()}}
    began = time.monotonic()
    try:
        Interpreter(tasks, context, watch=_Journal(run).note).run(machine, {})
    except StateFailed as failure:
        error = tasks.error or failure
        run.fail(error)
        raise error from None
    except BaseException as error:
        run.fail(error)
        raise
    curated, production = steps.result("Curate"), steps.result("Publish")
    record.details = {key: curated[key] for key in ("input", "records", "issues")}
    record.details["production"] = production
    run.succeed()
    return WorkflowResult(run, curated, production, time.monotonic() - began)


class _Journal:
    """Writes each step's beginning and end into the run record."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def note(self, event: Event) -> None:
        """A state was entered, or left with success or failure."""
        steps = self._run.record.steps
        if event.what is What.ENTERED:
            steps.append({"name": event.state, "status": "running", "started_at": utc_now()})
        elif event.what in (What.SUCCEEDED, What.FAILED, What.STOPPED):
            step = next(step for step in reversed(steps) if step["name"] == event.state)
            step |= {"status": str(event.what), "finished_at": utc_now()}
        self._run.save()
