"""List and walk local folders, expand globs; a folder that cannot be listed ends the run.

`os.walk` and `glob.glob` leave such a folder out without a word. Links to folders are followed
after all folders that are reached without one, and each folder is entered once, so that a path
without a link wins and no circle of links is walked twice.
"""

import errno
import glob
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from healthpipe.errors import HealthpipeError, ServiceFailed, SourceDenied

DENIED = (errno.EACCES, errno.EPERM)
# Linux follows no more on the way to a file: path_resolution(7).
MAX_LINKS = 40
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


class Kind(StrEnum):
    """The kind of a path; a link is of the kind of its target."""

    FILE = "file"
    FOLDER = "folder"
    STREAM = "pipe, socket or device"
    BROKEN_LINK = "link to nothing that can be reached"


@dataclass(frozen=True)
class Entry:
    """An entry of a folder: its path, its kind, and whether it is a link."""

    path: str
    kind: Kind
    is_link: bool = False

    @property
    def name(self) -> str:
        """The name in its folder."""
        return Path(self.path).name


# Tells whether an entry, or a path that a glob names, is not gone into and not read.
LeftOut = Callable[[Entry], bool]


def kind_of(path: str) -> Kind | None:
    """The kind of a path; None where there is nothing. Raises as `list_folder` does."""
    target = Path(path)
    try:
        target.stat()
    except OSError as error:
        if error.errno != errno.EIO and is_link(path):
            return Kind.BROKEN_LINK
        if error.errno in ABSENT:
            return None
        raise _not_reached(path, "reached", error) from error
    if target.is_dir():
        return Kind.FOLDER
    return Kind.FILE if target.is_file() else Kind.STREAM


def is_link(path: str) -> bool:
    """Whether a path is a link, wherever that leads; False where it cannot be reached."""
    return os.path.islink(path)  # noqa: PTH114 - pathlib raises where access is denied


def link_owners(path: str) -> set[int]:
    """The users who own the links that are followed from a path to where it leads, its own first.

    Those of the folders above the path are not looked at.
    """
    owners = set[int]()
    folder, name = os.path.split(path)
    at, names = os.path.realpath(folder), [name]  # free of links, so that `..` is its parent
    links = 0
    while names and links < MAX_LINKS:
        reached = os.path.normpath(os.path.join(at, names.pop()))  # noqa: PTH118
        try:
            status = os.lstat(reached)
            target = str(Path(reached).readlink()) if stat.S_ISLNK(status.st_mode) else None
        except OSError:
            break
        if target is None:
            at = reached
            continue
        owners.add(status.st_uid)
        links += 1
        names += reversed(target.split("/"))
        at = "/" if target.startswith("/") else at
    return owners


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
    return [
        Entry(str(Path(folder, entry.name)), kind, entry.is_symlink())
        for entry, kind in kinds
        if kind
    ]


def walk(top: str, is_left_out: LeftOut) -> Iterator[tuple[str, list[Entry]]]:
    """A folder and those below it, each once and with its entries that are not left out.

    Folders that only a link leads to come last. Raises as `list_folder` does.
    """
    entered = set[tuple[int, int]]()
    direct, linked = deque([top]), deque[str]()
    while direct or linked:
        folder = (direct or linked).popleft()
        identity = _folder_identity(folder)
        if identity is None or identity in entered:
            continue
        entered.add(identity)
        entries = [entry for entry in list_folder(folder) if not is_left_out(entry)]
        for entry in entries:
            if entry.kind is Kind.FOLDER:
                (linked if entry.is_link else direct).append(entry.path)
        yield folder, entries


def expand(pattern: str, is_left_out: LeftOut) -> list[str]:
    """The paths that a glob matches, sorted, as `glob.glob` does; `**` stands for any folders.

    What is left out is neither matched nor gone into. Raises as `list_folder` does.
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


def _expand(folder: str, parts: Sequence[str], is_left_out: LeftOut) -> Iterator[str]:
    """The paths below a folder that the parts of a glob match."""
    first, rest = parts[0], parts[1:]
    if not glob.has_magic(first):
        path = os.path.join(folder, first)  # noqa: PTH118 - keeps `..`
        kind = kind_of(path)
        if kind and not is_left_out(Entry(path, kind, is_link(path))):
            yield from _expand(path, rest, is_left_out) if rest else [path]
        return
    if first == "**":
        for below, entries in walk(folder, lambda e: _is_hidden("**", e) or is_left_out(e)):
            if rest:
                yield from _expand(below, rest, is_left_out)
            else:
                yield from (entry.path for entry in entries if entry.kind is not Kind.FOLDER)
        return
    for entry in list_folder(folder):
        may_match = not rest or entry.kind is Kind.FOLDER
        if not may_match or _is_hidden(first, entry) or not fnmatchcase(entry.name, first):
            continue
        if not is_left_out(entry):
            yield from _expand(entry.path, rest, is_left_out) if rest else [entry.path]


def _is_hidden(part: str, entry: Entry) -> bool:
    """Whether a part of a glob passes over an entry: hidden ones are matched by a dot only."""
    return entry.name.startswith(".") and not part.startswith(".")


def _folder_identity(folder: str) -> tuple[int, int] | None:
    """The device and the inode of a folder; None where it is gone. Raises as `list_folder` does."""
    try:
        status = Path(folder or ".").stat()
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise _not_reached(folder, "listed", error) from error
    return status.st_dev, status.st_ino


def _kind(entry: os.DirEntry[str]) -> Kind | None:
    """The kind of an entry, without a call to the system where its folder tells."""
    if entry.is_symlink():
        return kind_of(entry.path)
    if entry.is_dir(follow_symlinks=False):
        return Kind.FOLDER
    return Kind.FILE if entry.is_file(follow_symlinks=False) else Kind.STREAM


def _not_reached(path: str, verb: str, error: OSError) -> HealthpipeError:
    """The error of a folder that cannot be listed, or of a path that cannot be reached."""
    message = f"{path or '.'} cannot be {verb}: {error.strerror}"
    if error.errno in DENIED:
        return SourceDenied(message, "have this user allowed to list and search it, then run again")
    return ServiceFailed(message, "check the disk or the mount, then run again")
