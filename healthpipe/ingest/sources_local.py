"""The files behind a SOURCE of this machine: a file, a folder, a glob."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from healthpipe.ingest.found import FoundFile, folder_date, is_own_folder, is_read, is_visible
from healthpipe.storage.layout import Root


def files_of(source: str, root: Root, skipped: list[str]) -> Iterator[FoundFile] | None:
    """The files of a SOURCE; None where there is nothing of that name. What a folder holds beside
    them is added to `skipped`.
    """
    if Path(source).is_dir():
        return _files_below(source, root, skipped)
    if Path(source).exists():
        return iter([_found(source, Path(source).name)])
    if glob.has_magic(source) and (matches := sorted(glob.glob(source, recursive=True))):  # noqa: PTH207 - a whole path
        return _matching_files(source, matches, root, skipped)
    return None


def absolute(path: str) -> str:
    """A path from the top, without its detours: a/../b is b."""
    return os.path.abspath(path)  # noqa: PTH100


def shown(path: str) -> str:
    """A path as results show it, which is UTF-8 whatever the file system has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _files_below(folder: str, root: Root, skipped: list[str]) -> Iterator[FoundFile]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if is_visible(name) and not _is_own(Path(parent, name), root)
        )
        for name in sorted(filter(is_visible, names)):
            path = Path(parent, name)
            if is_read(name):
                yield _found(str(path), path.relative_to(folder).as_posix())
            else:
                skipped.append(str(path))


def _matching_files(
    pattern: str, matches: Sequence[str], root: Root, skipped: list[str]
) -> Iterator[FoundFile]:
    fixed = pattern[: glob.escape(pattern).find("[")].rpartition("/")[0]
    for match in matches:
        if _is_own(Path(match), root):
            continue
        if Path(match).is_dir():
            for file in _files_below(match, root, skipped):
                yield replace(file, source=os.path.relpath(file.uri, fixed or "."))
        else:
            yield _found(match, os.path.relpath(match, fixed or "."))


def _is_own(path: Path, root: Root) -> bool:
    """Whether a path is one of the root's own folders or in one."""
    if root.is_remote:
        return False
    parts = Path(os.path.relpath(path.resolve(), Path(root.uri).resolve())).parts
    return bool(parts) and is_own_folder(parts[0])


def _found(uri: str, source: str) -> FoundFile:
    above = (folder.name for folder in Path(uri).absolute().parents)
    return FoundFile(uri, shown(source), folder_date(above))
