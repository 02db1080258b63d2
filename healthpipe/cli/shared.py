"""What the shared options of a command come to: checked, and typed."""

import fnmatch
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthpipe.cli.console import shown_progress, start_logging
from healthpipe.errors import OutputRefused, UsageError
from healthpipe.stopping import stopped_by_signals
from healthpipe.words import Format, LogFormat
from healthpipe.workflow.progress import Progress

STANDARD_OUTPUT = "-"
SUFFIXES = {
    ".parquet": Format.PARQUET,
    ".csv": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.JSON,
}


@dataclass(frozen=True)
class Manner:
    """How a command shows what it does."""

    json: bool = False
    quiet: bool = False
    debug: bool = False
    log_format: LogFormat = LogFormat.TEXT

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Manner":
        """What a command was given; its errors are shown like that, too."""
        manner = cls(given["json"], given["quiet"], given["debug"], given["log_format"])
        forget_manner()
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
        """Messages, progress and signals as the user wants them while the block runs."""
        self.start_logging()
        wanted = not self.quiet and self.log_format is LogFormat.TEXT
        with stopped_by_signals(), shown_progress(wanted=wanted) as progress:
            yield progress


_in_use: list[Manner] = []


def forget_manner() -> None:
    """Another command begins."""
    _in_use.clear()


def manner_in_use() -> Manner:
    """How the command that runs shows what it does; before it was asked, as its words tell."""
    return _in_use[0] if _in_use else Manner(json="--json" in sys.argv, debug="--debug" in sys.argv)


@dataclass(frozen=True)
class Place:
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

    def require_writable(self, sources: Sequence[str]) -> None:
        """Refuse an output that is a folder where a file belongs, or the other way round, that
        lies in none, or lies inside a SOURCE.
        """
        if self.is_standard_output and self.is_folder:
            raise UsageError("the result is several files", "give -o a folder")
        if self.path is None:
            return
        path = Path(self.path)
        folder = path.resolve().parent
        if path.is_dir() and not self.is_folder:
            raise OutputRefused(f"-o {path} is a folder", "name a file in it")
        if path.exists() and not path.is_dir() and self.is_folder:
            raise OutputRefused(
                f"-o {path} is a file", "name a folder: the result is several files"
            )
        if not folder.is_dir():
            raise OutputRefused(f"the folder of -o {path} is not there", f"mkdir -p {folder}")
        if not os.access(folder, os.W_OK):
            raise OutputRefused(f"the folder of -o {path} cannot be written", "choose another")
        for source in sources:
            if _is_inside(path.resolve(), source):
                raise OutputRefused(
                    f"-o {path} lies inside the SOURCE {source}",
                    "a later run would read it as input; choose a place outside",
                )


def _is_inside(path: Path, source: str) -> bool:
    whole = Path(source).resolve()
    return path.is_relative_to(whole) or fnmatch.fnmatch(str(path), str(Path(source).absolute()))
