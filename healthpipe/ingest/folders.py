"""List local folders and expand globs; a folder that cannot be listed ends the run.

`os.walk` and `glob.glob` leave such a folder out without a word.
"""

import errno
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from healthpipe.errors import HealthpipeError, ServiceFailed, SourceDenied

DENIED = (errno.EACCES, errno.EPERM)
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


class Kind(StrEnum):
    """The kind of a path; a link is of the kind of its target."""

    FILE = "file"
    FOLDER = "folder"
    LINK_TO_FOLDER = "link to a folder"
    STREAM = "pipe, socket or device"
    BROKEN_LINK = "link to nothing that can be reached"


FOLDERS = (Kind.FOLDER, Kind.LINK_TO_FOLDER)


@dataclass(frozen=True)
class Entry:
    """An entry of a folder: its path and its kind."""

    path: str
    kind: Kind

    @property
    def name(self) -> str:
        """The name in its folder."""
        return Path(self.path).name

    @property
    def is_folder(self) -> bool:
        """Whether it can be listed."""
        return self.kind in FOLDERS


def kind_of(path: str) -> Kind | None:
    """The kind of a path; None where there is nothing. Raises as `list_folder` does."""
    target = Path(path)
    try:
        is_link = target.is_symlink()
        target.stat()
    except OSError as error:
        if error.errno != errno.EIO and _is_link(path):
            return Kind.BROKEN_LINK
        if error.errno in ABSENT:
            return None
        raise _not_reached(path, "reached", error) from error
    if target.is_dir():
        return Kind.LINK_TO_FOLDER if is_link else Kind.FOLDER
    return Kind.FILE if target.is_file() else Kind.STREAM


def list_folder(folder: str) -> list[Entry]:
    """List a folder, sorted by name; nothing where it is gone.

    Raises `SourceDenied` where the user may not list or search it, `ServiceFailed` for an error of
    its disk.
    """
    try:
        with os.scandir(folder or ".") as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        os.stat(os.path.join(folder, "."))  # noqa: PTH116, PTH118 - fails where it cannot be searched
    except OSError as error:
        if error.errno in ABSENT:
            return []
        raise _not_reached(folder, "listed", error) from error
    kinds = ((entry, _kind(entry)) for entry in found)
    return [Entry(str(Path(folder, entry.name)), kind) for entry, kind in kinds if kind]


def expand(pattern: str, is_left_out: Callable[[str], bool]) -> list[str]:
    """The paths that a glob matches, sorted, as `glob.glob` does; `**` stands for any folders.

    Nothing is looked for in a folder that is left out. Raises as `list_folder` does.
    """
    folder = fixed_folder(pattern)
    parts = [part for part in pattern[len(folder) :].split("/") if part]
    start = folder or ("/" if pattern.startswith("/") else "")
    matches = dict.fromkeys(_expand(start, parts, is_left_out))
    if pattern.endswith("/"):
        return sorted(match for match in matches if Path(match).is_dir())
    return sorted(matches)


def fixed_folder(pattern: str) -> str:
    """The folder before the first wildcard of a glob; names are relative to it."""
    return pattern[: glob.escape(pattern).find("[")].rpartition("/")[0]


def _expand(folder: str, parts: Sequence[str], is_left_out: Callable[[str], bool]) -> Iterator[str]:
    """The paths below a folder that the parts of a glob match."""
    first, rest = parts[0], parts[1:]
    if not glob.has_magic(first):
        path = os.path.join(folder, first)  # noqa: PTH118 - keeps `..`
        if kind_of(path):
            yield from _expand(path, rest, is_left_out) if rest else [path]
        return
    if first == "**":
        yield from _expand_any_depth(folder, rest, is_left_out)
        return
    for entry in _listed_for(first, folder):
        if not rest and fnmatchcase(entry.name, first):
            yield entry.path
        elif entry.is_folder and fnmatchcase(entry.name, first) and not is_left_out(entry.path):
            yield from _expand(entry.path, rest, is_left_out)


def _expand_any_depth(
    folder: str, rest: Sequence[str], is_left_out: Callable[[str], bool]
) -> Iterator[str]:
    """The paths that `**` and what follows it match; links to folders are not gone into."""
    if rest:
        yield from _expand(folder, rest, is_left_out)
    for entry in _listed_for("**", folder):
        if entry.kind is Kind.FOLDER:
            if not is_left_out(entry.path):
                yield from _expand_any_depth(entry.path, rest, is_left_out)
        elif not rest:
            yield entry.path


def _listed_for(part: str, folder: str) -> list[Entry]:
    """The entries of a folder that a part of a glob may match: hidden ones by a dot only."""
    shows_hidden = part.startswith(".")
    return [each for each in list_folder(folder) if shows_hidden or not each.name.startswith(".")]


def _kind(entry: os.DirEntry[str]) -> Kind | None:
    """The kind of an entry, without a call to the system where its folder tells."""
    if entry.is_symlink():
        return kind_of(entry.path)
    if entry.is_dir(follow_symlinks=False):
        return Kind.FOLDER
    return Kind.FILE if entry.is_file(follow_symlinks=False) else Kind.STREAM


def _is_link(path: str) -> bool:
    """Whether a path is a link, wherever that leads; False where it cannot be reached."""
    return os.path.islink(path)  # noqa: PTH114 - pathlib raises where access is denied


def _not_reached(path: str, verb: str, error: OSError) -> HealthpipeError:
    """The error of a folder that cannot be listed, or of a path that cannot be reached."""
    message = f"{path or '.'} cannot be {verb}: {error.strerror}"
    if error.errno in DENIED:
        return SourceDenied(message, "have this user allowed to list and search it, then run again")
    return ServiceFailed(message, "check the disk or the mount, then run again")
