"""Whether a result may be written where a user wants it, found out before anything is computed."""

import fnmatch
import os
from collections.abc import Sequence
from pathlib import Path

from healthpipe.aws.session import AwsAccess
from healthpipe.errors import OutputRefused
from healthpipe.storage import open_storage
from healthpipe.storage.uris import is_s3, s3_folder, split_s3


def require_writable(
    output: str, sources: Sequence[str], access: AwsAccess, *, is_folder: bool
) -> None:
    """Refuse an output that is a folder where a file belongs, or the other way round, that lies in
    none, or lies inside a SOURCE.
    """
    if is_s3(output):
        _require_on_s3(output, sources, access, is_folder=is_folder)
    else:
        _require_here(Path(output), sources, is_folder=is_folder)


def names_in(folder: str, access: AwsAccess) -> list[str]:
    """What lies directly in a folder, by name; nothing in one that is not there."""
    if not is_s3(folder):
        return sorted(os.listdir(folder)) if Path(folder).is_dir() else []  # noqa: PTH208
    files = open_storage(folder, access).list(s3_folder(folder))
    below = (file.uri.removeprefix(f"{s3_folder(folder)}/") for file in files)
    return sorted({name.partition("/")[0] for name in below if name})


def _require_here(path: Path, sources: Sequence[str], *, is_folder: bool) -> None:
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
        if not is_s3(source) and _is_inside(path.resolve(), source):
            raise _is_input(str(path), source)


def _require_on_s3(uri: str, sources: Sequence[str], access: AwsAccess, *, is_folder: bool) -> None:
    _, key = split_s3(uri)
    storage = open_storage(uri, access)
    if not is_folder and (not key or key.endswith("/") or any(storage.list(uri))):
        raise _is_folder(uri)
    if is_folder and key and storage.stat(s3_folder(uri)):
        raise _is_file(uri)
    for source in sources:
        if not is_s3(source):
            continue
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
