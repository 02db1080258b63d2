"""Rejected lines as a file to be mended in an editor."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from healthpipe.stages.resolutions import RejectedLine
from healthpipe.storage.private import make_private


@dataclass(frozen=True)
class Exported:
    """How many lines were written, and what has no line to write: whole files, kept elsewhere."""

    rows: int
    whole_files: int
    kept_in_files: int


def export_lines(lines: Iterable[RejectedLine], path: Path) -> Exported:
    """Write the bytes of lines, each followed by LF, to a new file of its owner alone."""
    rows = whole_files = kept_in_files = 0
    with make_private(path).open("wb") as file:
        for rejected in lines:
            if rejected.line is not None:
                file.write(rejected.line + b"\n")
                rows += 1
            elif rejected.kept_in is not None:
                kept_in_files += 1
            else:
                whole_files += 1
    return Exported(rows, whole_files, kept_in_files)
