"""Standard error: messages as text or JSON, progress on a terminal."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from healthpipe.choices import LogFormat

if TYPE_CHECKING:
    from rich.progress import Task

    from healthpipe.progress import Progress

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


class _Drawn:
    """Progress drawn with rich: a spinner, what is being done, how far, how long."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as RichProgress
        from rich.progress import ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.text import Text

        class Percent(ProgressColumn):
            def render(self, task: "Task") -> Text:
                fraction = task.fields["fraction"]
                done = fraction() if fraction else None
                return Text("" if done is None else f"{done:4.0%}")

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            Percent(),
            TimeElapsedColumn(),
        )
        self.rich = RichProgress(*columns, console=Console(stderr=True), transient=True)
        self._task = self.rich.add_task("", total=None, fraction=None)

    def step(self, what: str, fraction: Callable[[], float | None] | None = None) -> None:
        self.rich.update(self._task, description=what, fraction=fraction)


@contextmanager
def shown_progress(*, wanted: bool) -> Iterator["Progress"]:
    """Progress on standard error while the block runs, if that is a terminal."""
    if not (wanted and sys.stderr and sys.stderr.isatty()):
        from healthpipe.progress import NoProgress

        yield NoProgress()
        return
    drawn = _Drawn()
    with drawn.rich:
        yield drawn
