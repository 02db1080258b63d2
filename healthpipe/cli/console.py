"""What a command shows: messages as text or JSON and progress on standard error.

The output settings of the command that runs are kept here, for its errors are shown like that, too.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from healthpipe.choices import LogFormat
from healthpipe.progress import HAS_LINES, SAID_BEFORE
from healthpipe.text import escape_control_chars

if TYPE_CHECKING:
    from rich.progress import Task

    from healthpipe.progress import Progress

log = logging.getLogger("healthpipe")
# What Typer takes for a flag that is given in the environment.
YES = ("1", "true", "t", "yes", "y", "on")


class _JsonLines(logging.Formatter):
    """Format each message as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        head = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        return json.dumps(head | fields)


class _OneLine(logging.Formatter):
    """Format each message as one line, whatever is in the names of files and feeds."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        has_lines = getattr(record, HAS_LINES, False)
        return record.message if has_lines else escape_control_chars(record.message)


def start_logging(log_format: LogFormat, *, quiet: bool) -> None:
    """Send the project's messages to standard error, in that format; quiet keeps new warnings."""
    handler = logging.StreamHandler(sys.stderr)
    if quiet:
        handler.addFilter(lambda record: not getattr(record, SAID_BEFORE, False))
    handler.setFormatter(_JsonLines() if log_format is LogFormat.JSON else _OneLine())
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.WARNING if quiet else logging.INFO)


def log_error(description: dict[str, str]) -> None:
    """Log an error as one line: what happened and what to do next."""
    parts = [" ".join(part.split()) for part in (description["message"], description["hint"])]
    log.error("healthpipe: %s", "; ".join(filter(None, parts)), extra={"fields": description})


class _RichProgress:
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
def shown_progress(*, enabled: bool) -> Iterator["Progress"]:
    """Show progress on standard error while the block runs, if that is a terminal."""
    if not (enabled and sys.stderr and sys.stderr.isatty()):
        from healthpipe.progress import NoProgress

        yield NoProgress()
        return
    drawn = _RichProgress()
    with drawn.rich:
        yield drawn


@dataclass(frozen=True)
class OutputSettings:
    """How a command shows what it does."""

    json: bool = False
    quiet: bool = False
    debug: bool = False
    log_format: LogFormat = LogFormat.TEXT

    @property
    def on_terminal(self) -> bool:
        """Whether a person watches: a preview is for nobody else."""
        watched = sys.stdout.isatty() and sys.stderr and sys.stderr.isatty()
        return bool(watched) and not (self.json or self.quiet or self.log_format is LogFormat.JSON)

    def start_logging(self) -> None:
        """Send messages to standard error as the user wants them."""
        start_logging(self.log_format, quiet=self.quiet)

    @contextmanager
    def session(self) -> Iterator["Progress"]:
        """Show messages and progress as the user wants them while the block runs."""
        self.start_logging()
        enabled = not self.quiet and self.log_format is LogFormat.TEXT
        with shown_progress(enabled=enabled) as progress:
            yield progress


_in_use: list[OutputSettings] = []


def use_output_settings(settings: OutputSettings | None) -> None:
    """Set the output settings of the command that runs; None before its options are parsed."""
    _in_use[:] = [settings] if settings else []


def current_output_settings() -> OutputSettings:
    """Return the output settings of the current command.

    Before its options are parsed they are guessed from sys.argv and the environment.
    """
    return _in_use[0] if _in_use else OutputSettings(_is_asked("json"), debug=_is_asked("debug"))


def _is_asked(option: str) -> bool:
    """Whether a flag is given on the command line, or in the environment as a word for yes."""
    variable = os.environ.get(f"HEALTHPIPE_{option.upper()}", "")
    return f"--{option}" in sys.argv or variable.strip().lower() in YES
