"""What the shared options of a command come to: checked, and typed."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthpipe.aws.session import AwsAccess
from healthpipe.choices import Format, LogFormat
from healthpipe.cli.console import shown_progress, start_logging
from healthpipe.cli.output import require_writable
from healthpipe.errors import UsageError
from healthpipe.progress import Progress

STANDARD_OUTPUT = "-"
SUFFIXES = {
    ".parquet": Format.PARQUET,
    ".csv": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.JSON,
}


@dataclass(frozen=True)
class OutputSettings:
    """How a command shows what it does."""

    json: bool = False
    quiet: bool = False
    debug: bool = False
    log_format: LogFormat = LogFormat.TEXT

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "OutputSettings":
        """What a command was given; its errors are shown like that, too."""
        manner = cls(given["json"], given["quiet"], given["debug"], given["log_format"])
        reset_output_settings()
        _in_use.append(manner)
        return manner

    @property
    def on_terminal(self) -> bool:
        """Whether a person watches: a preview is for nobody else."""
        watched = sys.stdout.isatty() and sys.stderr and sys.stderr.isatty()
        return bool(watched) and not (self.json or self.quiet or self.log_format is LogFormat.JSON)

    def start_logging(self) -> None:
        """Messages as the user wants them."""
        start_logging(self.log_format, quiet=self.quiet)

    @contextmanager
    def session(self) -> Iterator[Progress]:
        """Messages and progress as the user wants them while the block runs."""
        self.start_logging()
        wanted = not self.quiet and self.log_format is LogFormat.TEXT
        with shown_progress(wanted=wanted) as progress:
            yield progress


_in_use: list[OutputSettings] = []


def reset_output_settings() -> None:
    """Another command begins."""
    _in_use.clear()


def current_output_settings() -> OutputSettings:
    """How the command that runs shows what it does; before it was asked, as its words tell."""
    return (
        _in_use[0]
        if _in_use
        else OutputSettings(json="--json" in sys.argv, debug="--debug" in sys.argv)
    )


@dataclass(frozen=True)
class OutputTarget:
    """Where a result goes: a path, standard output, or None for the run's own folder.

    `is_folder` where the result is a folder of files.
    """

    output: str | None
    format: Format | None = None
    is_folder: bool = False

    @property
    def is_standard_output(self) -> bool:
        """Whether the data itself is printed."""
        return self.output == STANDARD_OUTPUT

    @property
    def path(self) -> str | None:
        """The file that the user named."""
        return None if self.is_standard_output else self.output

    def chosen_format(self) -> Format | None:
        """The option, else the suffix of the output, else None. Raises `UsageError`."""
        suffix = Path(self.path).suffix.lower() if self.path and not self.is_folder else ""
        promised = SUFFIXES.get(suffix)
        if self.format and promised and self.format is not promised:
            raise UsageError(
                f"--format {self.format.value} and the suffix {suffix} of -o disagree",
                "drop --format or change the suffix",
            )
        if suffix == ".gz" or (suffix and not promised and not self.format):
            known = ", ".join(SUFFIXES)
            raise UsageError(f"-o has the unknown suffix {suffix}", f"use one of {known}")
        return self.format or promised

    def require_writable(self, sources: Sequence[str], access: AwsAccess) -> None:
        """Refuse an output that cannot be written, or must not: see `outputs`."""
        if self.is_standard_output and self.is_folder:
            raise UsageError("the result is several files", "give -o a folder")
        if self.path is not None:
            require_writable(self.path, sources, access, is_folder=self.is_folder)
