"""The context that a step of the workflow is run with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from healthpipe.engines import open_engine
from healthpipe.engines.base import Engine, EngineContext
from healthpipe.ingest.manifest import InputFile
from healthpipe.progress import Progress
from healthpipe.runs.attempts import Attempt, StepQueryLog, result_of
from healthpipe.runs.record import Execution
from healthpipe.runs.request import RunRequest
from healthpipe.runs.run import Run
from healthpipe.stages.options import StageOptions
from healthpipe.stages.segments import find_segments, reusable_files
from healthpipe.storage.layout import Root
from healthpipe.workflow.input_reader import InputReader


@dataclass(frozen=True)
class StepContext:
    """The run and its request, and the attempt at the step.

    `error` is the output of the failed state, for the steps of the failure branch. A query is
    waited for `wait_limit_s` seconds at most; None: to its end.
    """

    run: Run
    execution: Execution
    request: RunRequest
    attempt: Attempt
    progress: Progress
    error: dict[str, str] | None = None
    wait_limit_s: float | None = None

    @property
    def root(self) -> Root:
        """The root of the run."""
        return self.run.root

    @property
    def input_reader(self) -> InputReader:
        """Makes and reads the manifest of the run."""
        request, options = self.request, self.options

        def reusable() -> list[InputFile]:
            return reusable_files(find_segments([self.root], options.null_words, request.engine))

        return InputReader(
            self.run,
            request.sources,
            request.engine,
            self.progress,
            options.unpack_limits,
            reusable,
        )

    @cached_property
    def options(self) -> StageOptions:
        """The options of the run, typed."""
        return self.request.options(self.execution.start.date())

    @cached_property
    def scratch(self) -> Path:
        """A folder of this attempt alone. Once the run is over, none can be made."""
        folder = self.run.scratch / self._attempt_name
        folder.mkdir(exist_ok=True)
        return folder

    def result(self, step: str) -> dict[str, Any]:
        """The result of another step of the run."""
        return result_of(self.run, step)

    @contextmanager
    def engine(self, part: str = "") -> Iterator[Engine]:
        """Open the engine of the request while the block runs.

        **A step that is called again has to ask an engine for the same queries in the same
        order.** On AWS a step that waits for a query raises `StillRunning` and is called again, as
        the same attempt, from its beginning. Its engine then finds the queries of earlier calls by
        their text (`client_request_token`), and the text names tables and folders that are numbered
        in the order of the calls of the engine's methods (`Relations.next_place`). So what a step
        asks an engine may depend on the run and on results of earlier queries of that engine,
        never on a clock, on chance, or on what an earlier call left behind.

        Queries about something that may differ from call to call, such as segments of files that
        may change, need an engine of their own: `part` names it, and what it is about.
        """
        name = f"{self._attempt_name}-{part}" if part else self._attempt_name
        context = EngineContext(
            self.scratch,
            f"{self.run.attempts}/{name}",
            self.root.storage,
            f"{self.run.run_id}/{name}",
            StepQueryLog(self.attempt),
            self.wait_limit_s,
            # The branches of a Parallel state have one limit together.
            spill=self.run.scratch,
        )
        with open_engine(self.request.engine, context, self.request.athena()) as engine:
            yield engine

    @property
    def _attempt_name(self) -> str:
        """The name of the attempt in the run."""
        return f"{self.attempt.step}-{self.attempt.number}"
