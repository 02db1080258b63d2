"""Synthetic records in files, each whole under its name or not there."""

import datetime
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from healthpipe.errors import OutputRefused, ServiceFailed, UsageError
from healthpipe.generate.records import FIRST_DAY, LAST_DAY, record_writer
from healthpipe.workflow.progress import Progress


@dataclass(frozen=True)
class Plan:
    """Which records go into which files: `<outdir>/<snapshot>/facilities-<first index>.jsonl`."""

    records: int
    chunk: int
    snapshot: datetime.date
    start_index: int
    seed: int
    outdir: Path

    def __post_init__(self) -> None:
        try:
            for offset in (FIRST_DAY, LAST_DAY):
                self.snapshot + datetime.timedelta(days=offset)
        except OverflowError as error:
            raise UsageError(
                f"--snapshot {self.snapshot} leaves no room for dates around it",
                "give a year from 0002 to 9990",
            ) from error

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return self.outdir / self.snapshot.isoformat()

    def chunks(self) -> Iterator[tuple[Path, range]]:
        """Each file with the indexes of its records."""
        end = self.start_index + self.records
        for first in range(self.start_index, end, self.chunk):
            path = self.folder / f"facilities-{first}.jsonl"
            yield path, range(first, min(first + self.chunk, end))


def generate_files(plan: Plan, progress: Progress) -> int:
    """Write the files that are not there yet; returns how many.

    Raises `OutputRefused`, before anything is written, when a file of that name with other
    content is there.
    """
    line = record_writer(plan.seed, plan.snapshot)

    def content(indexes: range) -> bytes:
        return ("\n".join(map(line, indexes)) + "\n").encode()

    missing = []
    for path, indexes in plan.chunks():
        if not path.exists():
            missing.append((path, indexes))
        elif path.read_bytes() != content(indexes):
            raise OutputRefused(
                f"{path} is there already with other content",
                "choose another --outdir, --snapshot or --start-index, or remove it",
            )
    done = 0
    progress.step(f"generating {plan.records:,} records", lambda: done / max(len(missing), 1))
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        for path, indexes in missing:
            temporary = path.with_name(f".{path.name}.tmp")
            temporary.write_bytes(content(indexes))
            os.replace(temporary, path)  # noqa: PTH105 - a path object each costs more
            done += 1
    except OSError as error:
        raise ServiceFailed(
            f"cannot write {plan.folder}: {error.strerror}", "free space or choose --outdir"
        ) from error
    return len(missing)
