"""Write generated files, each atomically, and never over one with other content."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from healthpipe.errors import OutputRefused, ServiceFailed
from healthpipe.generate.answer_key import answer_key_bytes
from healthpipe.generate.planting import planted_batches
from healthpipe.generate.records import Plan, record_writer
from healthpipe.progress import Progress


@dataclass(frozen=True)
class Output:
    """A file to write, with a function that creates its bytes."""

    path: Path
    content: Callable[[], bytes]

    def is_missing(self) -> bool:
        """Tell whether it has to be written. Raises `OutputRefused` if its content differs."""
        if not self.path.exists():
            return True
        if not self.path.is_file() or self.path.read_bytes() != self.content():
            raise OutputRefused(
                f"{self.path} is there already with other content",
                "choose another --outdir, --snapshot, --start-index or --answers, or remove it",
            )
        return False

    def write(self) -> None:
        """Write the file under a temporary name, and rename it. Raises `ServiceFailed`."""
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
    """The number of files with the records, and of those that had to be written."""

    files: int
    written: int


def generate_files(plan: Plan, answers: Path | None, progress: Progress) -> Generated:
    """Write the files that do not exist yet, and the answer key to `answers`.

    Raises `OutputRefused`, before anything is written, if a file exists with other content.
    """
    key = Output(answers, partial(answer_key_bytes, plan, progress)) if answers else None
    is_key_missing = key is not None and key.is_missing()
    missing = set()
    files = 0
    for output in _record_files(plan):
        files += 1
        if output.is_missing():
            missing.add(output.path)
    written = 0
    progress.step(f"generating {plan.records:,} records", lambda: written / max(len(missing), 1))
    _make_folder(plan.folder)
    for output in _record_files(plan) if missing else ():
        if output.path in missing:
            output.write()
            written += 1
    if key and is_key_missing:
        key.write()
    return Generated(files, len(missing))


def _record_files(plan: Plan) -> Iterator[Output]:
    """Yield the files of clean records, then those with planted ones."""
    create_line = record_writer(plan.seed, plan.snapshot)

    def content(indexes: range) -> bytes:
        return ("\n".join(map(create_line, indexes)) + "\n").encode()

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
