"""Find the input files of this machine: a file, a folder to any depth, a glob."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from healthpipe.ingest.folders import (
    FOLDERS,
    Entry,
    Kind,
    expand,
    fixed_folder,
    kind_of,
    list_folder,
)
from healthpipe.ingest.manifest import (
    FoundFile,
    folder_date,
    is_own_folder,
    is_read,
    is_visible,
    may_be_input,
)
from healthpipe.storage.layout import Root


@dataclass(frozen=True)
class LocalSources:
    """SOURCEs of this machine: a file, a folder, a glob.

    Its methods raise `SourceDenied` and `ServiceFailed` where a folder cannot be listed.
    """

    root: Root
    skipped: list[str]

    def files(self, source: str) -> Iterator[FoundFile] | None:
        """The files of a SOURCE; None where there is nothing of that name."""
        kind = kind_of(source)
        if kind in FOLDERS:
            return self._below(source, source)
        if kind in (Kind.FILE, Kind.STREAM):
            return iter([_found(source, Path(source).name)])
        if glob.has_magic(source) and (matches := expand(source, self._is_own)):
            return self._matching(source, matches)
        return None

    def _below(self, folder: str, top: str) -> Iterator[FoundFile]:
        """The files in a folder, at any depth; their names are relative to `top`."""
        for entry in list_folder(folder):
            if not is_visible(entry.name):
                continue
            if entry.kind is Kind.FOLDER:
                if not self._is_own(entry.path):
                    yield from self._below(entry.path, top)
            elif _is_input(entry):
                yield _found(entry.path, Path(entry.path).relative_to(top).as_posix())
            else:
                self.skipped.append(entry.path)

    def _matching(self, pattern: str, matches: Sequence[str]) -> Iterator[FoundFile]:
        """The files that a glob matches, and those in the folders that it matches."""
        folder = fixed_folder(pattern) or "."
        for match in matches:
            kind = kind_of(match)
            if kind is None or self._is_own(match):
                continue
            if kind in FOLDERS:
                for file in self._below(match, match):
                    yield replace(file, source=os.path.relpath(file.uri, folder))
            elif kind is Kind.STREAM:  # only who names it outright wants to wait for it
                self.skipped.append(match)
            else:
                yield _found(match, os.path.relpath(match, folder))

    def _is_own(self, path: str) -> bool:
        """Whether a path is one of the root's own folders or in one."""
        if self.root.is_remote:
            return False
        parts = Path(os.path.relpath(Path(path).resolve(), Path(self.root.uri).resolve())).parts
        return bool(parts) and is_own_folder(parts[0])


def _is_input(entry: Entry) -> bool:
    """Whether an entry that is no folder is read; a broken link is rejected as unreadable."""
    if entry.kind is Kind.BROKEN_LINK:
        return may_be_input(entry.name)
    return entry.kind is Kind.FILE and is_read(entry.name)


def as_utf8(path: str) -> str:
    """A path as results show it, which is UTF-8 whatever the file system has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _found(uri: str, name: str) -> FoundFile:
    parents = (folder.name for folder in Path(uri).absolute().parents)
    return FoundFile(uri, as_utf8(name), folder_date(parents))
