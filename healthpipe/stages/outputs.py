"""What a stage is: the query that makes its output, and how that is written to a file."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from healthpipe.engines.base import Engine, Row
from healthpipe.engines.sql import Query
from healthpipe.stages.options import Lines, StageOptions
from healthpipe.words import Format


@dataclass(frozen=True)
class Preview:
    """A few rows of a result for a person to look at."""

    title: str
    next_command: str
    columns: tuple[str, ...]
    rows: list[Row]


@dataclass(frozen=True)
class Stage:
    """A stage over the relation `current`.

    `lines`, where a stage has it, names the query whose rows are input lines: it serves the
    JSON formats, `table` the others. `carried` says which lines that needs. `facts` are counts
    beside the result for its summary.
    """

    name: str
    stem: str
    default_format: Format
    table: Callable[[StageOptions], Query]
    preview: Callable[[Engine, StageOptions], Preview]
    facts: Callable[[Engine], dict[str, int]] = lambda _: {}
    lines: Query | None = None
    carried: Lines = Lines.REJECTED

    def file_name(self, fmt: Format) -> str:
        """The name of its output in a run's folder."""
        return f"{self.stem}.{fmt.value}"


@dataclass(frozen=True)
class Written:
    """A finished file: its size in rows and bytes, and its SHA-256 in hexadecimal."""

    format: Format
    rows: int
    bytes: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """As it stands in documents."""
        return asdict(self)


@dataclass(frozen=True)
class Target:
    """Where an output is written: a new local file, and its format."""

    path: Path
    format: Format


def write_output(
    engine: Engine, stage: Stage, options: StageOptions, target: Target, *, in_input_order: bool
) -> Written:
    """Write the output of a stage. Rows of `current` `in_input_order` need no sorting for it."""
    fmt, path = target.format, target.path
    if stage.lines is None or fmt not in (Format.NDJSON, Format.JSON):
        rows = engine.write(stage.table(options), path, fmt)
    else:
        rows = engine.write_lines(stage.lines.unordered() if in_input_order else stage.lines, path)
        if fmt is Format.JSON:
            _make_array(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(fmt, rows, path.stat().st_size, digest)


def _make_array(path: Path) -> None:
    """Make one JSON array of a file of JSON lines, each line as it is."""
    lines = path.with_suffix(".lines")
    path.rename(lines)
    with lines.open("rb") as reader, path.open("wb") as writer:
        writer.write(b"[")
        for number, line in enumerate(reader):
            writer.write(b",\n" if number else b"\n")
            writer.write(line.removesuffix(b"\n"))
        writer.write(b"\n]\n")
    lines.unlink()
