"""What a step of the workflow is given to work with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from healthpipe.engines import open_engine
from healthpipe.engines.base import Engine, EngineContext
from healthpipe.progress import Progress
from healthpipe.runs.attempts import Attempt, StepQueryLog, result_of
from healthpipe.runs.record import Execution
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.stages.options import StageOptions
from healthpipe.storage.layout import Root
from healthpipe.workflow.input_reader import InputReader


@dataclass(frozen=True)
class StepContext:
    """A step's work: the run, what was asked for, and the attempt.

    `error` is what the failed state left, for the steps of the failure branch. A query is waited
    for at most `patience_s` seconds; None: to its end.
    """

    run: Run
    execution: Execution
    request: RunRequest
    attempt: Attempt
    progress: Progress
    error: dict[str, str] | None = None
    patience_s: float | None = None

    @property
    def root(self) -> Root:
        """Where it all lies."""
        return self.run.root

    @property
    def intake(self) -> InputReader:
        """What takes in the files of the run."""
        return InputReader(self.run, self.request.sources, self.request.engine, self.progress)

    @cached_property
    def options(self) -> StageOptions:
        """What the records of the run mean."""
        return self.request.options(self.execution.start.date())

    @cached_property
    def scratch(self) -> Path:
        """A folder of this attempt alone. Once the run is over, none can be made."""
        folder = self.run.scratch / self._name
        folder.mkdir(exist_ok=True)
        return folder

    def result(self, step: str) -> dict[str, Any]:
        """What another step of the run came to."""
        return result_of(self.run, step)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The engine that was asked for, while the block runs."""
        workplace = EngineContext(
            self.scratch,
            f"{self.run.attempts}/{self._name}",
            self.root.storage,
            f"{self.run.run_id}/{self._name}",
            StepQueryLog(self.attempt),
            self.patience_s,
        )
        with open_engine(self.request.engine, workplace, self.request.athena()) as engine:
            yield engine

    @property
    def _name(self) -> str:
        """The name of the attempt in the run."""
        return f"{self.attempt.step}-{self.attempt.number}"
