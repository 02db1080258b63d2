"""Synthetic records in files, each whole under its name or not there."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from healthpipe.errors import OutputRefused, ServiceFailed
from healthpipe.generate.answer_key import answers_of
from healthpipe.generate.planting import planted_batches
from healthpipe.generate.records import Plan, record_writer
from healthpipe.progress import Progress


@dataclass(frozen=True)
class Output:
    """A file to write; its bytes are made when they are asked for."""

    path: Path
    content: Callable[[], bytes]

    def is_missing(self) -> bool:
        """Whether it has to be written. Raises `OutputRefused` over a file with other content."""
        if not self.path.exists():
            return True
        if not self.path.is_file() or self.path.read_bytes() != self.content():
            raise OutputRefused(
                f"{self.path} is there already with other content",
                "choose another --outdir, --snapshot, --start-index or --answers, or remove it",
            )
        return False

    def write(self) -> None:
        """Put the file in its place at once. Raises `ServiceFailed`."""
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        try:
            temporary.write_bytes(self.content())
            os.replace(temporary, self.path)  # noqa: PTH105 - a path object each costs more
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise ServiceFailed(
                f"cannot write {self.path}: {error.strerror}", "free space or choose another place"
            ) from error


@dataclass(frozen=True)
class Generated:
    """How many files hold the records, and how many of them had to be written."""

    files: int
    written: int


def generate_files(plan: Plan, answers: Path | None, progress: Progress) -> Generated:
    """Write the files that are not there yet, and the answer key to `answers`.

    Raises `OutputRefused`, before anything is written, when a file of that name with other
    content is there.
    """
    key = Output(answers, partial(answers_of, plan, progress)) if answers else None
    is_key_missing = key is not None and key.is_missing()
    missing = set()
    files = 0
    for output in _record_files(plan):
        files += 1
        if output.is_missing():
            missing.add(output.path)
    done = 0
    progress.step(f"generating {plan.records:,} records", lambda: done / max(len(missing), 1))
    _make_folder(plan.folder)
    for output in _record_files(plan) if missing else ():
        if output.path in missing:
            output.write()
            done += 1
    if key and is_key_missing:
        key.write()
    return Generated(files, len(missing))


def _record_files(plan: Plan) -> Iterator[Output]:
    line = record_writer(plan.seed, plan.snapshot)

    def content(indexes: range) -> bytes:
        return ("\n".join(map(line, indexes)) + "\n").encode()

    for path, indexes in plan.chunks():
        yield Output(path, partial(content, indexes))
    for batch in planted_batches(plan):
        for file in batch.files:
            yield Output(plan.folder / file.name, partial(bytes, file.content))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceFailed(
            f"cannot write {folder}: {error.strerror}", "free space or choose --outdir"
        ) from error
