"""The destination of a result, checked before anything is computed."""

import fnmatch
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from healthpipe.choices import Format
from healthpipe.errors import OutputRefused, UsageError
from healthpipe.storage import is_s3, s3_folder, split_s3

if TYPE_CHECKING:
    from healthpipe.aws.session import AwsAccess

STANDARD_OUTPUT = "-"
SUFFIXES = {
    ".parquet": Format.PARQUET,
    ".csv": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.JSON,
}


@dataclass(frozen=True)
class OutputTarget:
    """The destination of a result: a path, standard output, or None for the run's own folder.

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
        """Choose the format: the option, else the suffix of the output, else None.

        Raises `UsageError`.
        """
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

    def require_writable(self, sources: Sequence[str], access: "AwsAccess") -> None:
        """Refuse an output that cannot be written, or must not. Raises `UsageError`."""
        if self.is_standard_output and self.is_folder:
            raise UsageError("the result is several files", "give -o a folder")
        if self.path is not None:
            require_writable(self.path, sources, access, is_folder=self.is_folder)

    def require_new(self, access: "AwsAccess") -> None:
        """Refuse a file that is there already, which somebody may be editing.

        Devices and pipes hold nothing that could be lost. Raises `OutputRefused`.
        """
        if self.path is None:
            return
        if is_s3(self.path):
            from healthpipe.storage import open_storage

            exists = open_storage(self.path, access).stat(self.path) is not None
        else:
            exists = Path(self.path).is_file()
        if exists:
            raise OutputRefused(
                f"-o {self.path} is there already",
                "name another file, or overwrite this one with --force",
            )


def require_writable(
    output: str, sources: Sequence[str], access: "AwsAccess", *, is_folder: bool
) -> None:
    """Refuse an output that cannot be written, is of the wrong kind, or lies inside a SOURCE.

    Raises `OutputRefused`.
    """
    remote = is_s3(output)
    near = [source for source in sources if is_s3(source) == remote]
    if remote:
        _require_on_s3(output, near, access, is_folder=is_folder)
    else:
        _require_local(Path(output), near, is_folder=is_folder)


def names_in(folder: str, access: "AwsAccess") -> list[str]:
    """List what lies directly in a folder, by name; nothing in one that is not there."""
    if not is_s3(folder):
        return sorted(os.listdir(folder)) if Path(folder).is_dir() else []  # noqa: PTH208
    from healthpipe.storage import open_storage

    files = open_storage(folder, access).list(s3_folder(folder))
    below = (file.uri.removeprefix(f"{s3_folder(folder)}/") for file in files)
    return sorted({name.partition("/")[0] for name in below if name})


def _require_local(path: Path, sources: Sequence[str], *, is_folder: bool) -> None:
    folder = path.resolve().parent
    if path.is_dir() and not is_folder:
        raise _is_folder(str(path))
    if path.exists() and not path.is_dir() and is_folder:
        raise _is_file(str(path))
    if not folder.is_dir():
        raise OutputRefused(f"the folder of -o {path} is not there", f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK):
        raise OutputRefused(f"the folder of -o {path} cannot be written", "choose another")
    for source in sources:
        if _is_inside(path.resolve(), source):
            raise _is_input(str(path), source)


def _require_on_s3(
    uri: str, sources: Sequence[str], access: "AwsAccess", *, is_folder: bool
) -> None:
    from healthpipe.storage import open_storage

    _, key = split_s3(uri)
    storage = open_storage(uri, access)
    if not is_folder and (not key or key.endswith("/") or any(storage.list(uri))):
        raise _is_folder(uri)
    if is_folder and key and storage.stat(s3_folder(uri)):
        raise _is_file(uri)
    for source in sources:
        if f"{uri}/".startswith(f"{source.rstrip('/')}/") or fnmatch.fnmatchcase(uri, source):
            raise _is_input(uri, source)


def _is_inside(path: Path, source: str) -> bool:
    whole = Path(source).resolve()
    return path.is_relative_to(whole) or fnmatch.fnmatch(str(path), str(Path(source).absolute()))


def _is_folder(output: str) -> OutputRefused:
    return OutputRefused(f"-o {output} is a folder", "name a file in it")


def _is_file(output: str) -> OutputRefused:
    return OutputRefused(f"-o {output} is a file", "name a folder: the result is several files")


def _is_input(output: str, source: str) -> OutputRefused:
    return OutputRefused(
        f"-o {output} lies inside the SOURCE {source}",
        "a later run would read it as input; choose a place outside",
    )
