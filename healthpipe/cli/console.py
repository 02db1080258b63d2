"""Standard error: messages as text or JSON, progress on a terminal."""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from healthpipe.words import LogFormat

if TYPE_CHECKING:
    from rich.console import RenderableType

    from healthpipe.workflow.progress import Progress

log = logging.getLogger("healthpipe")


class _JsonLines(logging.Formatter):
    """One JSON object a message."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        head = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        return json.dumps(head | fields)


def start_logging(log_format: LogFormat, *, quiet: bool) -> None:
    """Send the project's messages to standard error, in that format; quiet keeps warnings."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format is LogFormat.JSON:
        handler.setFormatter(_JsonLines())
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.WARNING if quiet else logging.INFO)


def say_error(description: dict[str, str]) -> None:
    """An error as one line: what happened and what to do next."""
    parts = [" ".join(part.split()) for part in (description["message"], description["hint"])]
    log.error("healthpipe: %s", "; ".join(filter(None, parts)), extra={"fields": description})


class _Bar:
    """Progress drawn with rich, which asks for it again and again."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        bar = self

        class Watching(RichProgress):
            def get_renderables(self) -> "Iterable[RenderableType]":
                bar.look()
                yield from super().get_renderables()

        self._fraction: Callable[[], float | None] | None = None
        self.drawn = Watching(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self.drawn.add_task("", total=None)

    def step(self, what: str, fraction: Callable[[], float | None] | None = None) -> None:
        self._fraction = fraction
        self.drawn.update(self._task, description=what, total=None, completed=0)

    def look(self) -> None:
        done = self._fraction() if self._fraction else None
        self.drawn.tasks[0].total = None if done is None else 1.0
        self.drawn.tasks[0].completed = done or 0.0


@contextmanager
def shown_progress(*, wanted: bool) -> Iterator["Progress"]:
    """Progress on standard error while the block runs, if that is a terminal."""
    if not (wanted and sys.stderr.isatty()):
        from healthpipe.workflow.progress import NoProgress

        yield NoProgress()
        return
    bar = _Bar()
    with bar.drawn:
        yield bar
