"""Find the input files that SOURCEs name: files, folders, globs, s3:// URIs, standard input.

A prefix on S3 is read by the rules of a local folder.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Protocol

from healthpipe.aws.errors import ErrorKind, error_kind
from healthpipe.errors import SourceNotFound, UsageError
from healthpipe.ingest.folders import (
    Entry,
    Kind,
    expand,
    fixed_folder,
    is_link,
    kind_of,
    link_owners,
    walk,
)
from healthpipe.ingest.manifest import (
    ARCHIVE_SUFFIX,
    FOREIGN_LINK,
    OTHER_NAME,
    OWN_FOLDER,
    PACKED_SUFFIXES,
    STANDARD_INPUT,
    STREAM,
    TEXT_SUFFIXES,
    FoundFile,
    FoundFiles,
    SkippedFile,
    folder_date,
    is_own_folder,
    is_read,
    is_visible,
    may_be_input,
)
from healthpipe.storage import is_s3, open_storage, split_s3
from healthpipe.storage.base import Storage, StoredFile
from healthpipe.storage.layout import Root
from healthpipe.text import suggested_command

ADMINISTRATOR = 0  # the user id of root


@dataclass(frozen=True)
class LocalSources:
    """SOURCEs of this machine: a file, a folder, a glob.

    Links in a folder or a glob are followed if the user or root owns them, but never into the
    root's own folders. The methods raise `SourceDenied` and `ServiceFailed` where a folder cannot
    be listed.
    """

    root: Root
    skipped: list[SkippedFile]

    def files(self, source: str) -> Iterator[FoundFile] | None:
        """The files of a SOURCE; None where there is nothing of that name."""
        kind = kind_of(source)
        if kind is Kind.FOLDER:
            return self._below(source, source)
        if kind in (Kind.FILE, Kind.STREAM):
            return iter([_found(source, Path(source).name)])
        if not glob.has_magic(source):
            return None
        top, known = fixed_folder(source) or ".", len(self.skipped)
        matches = expand(source, lambda entry: self._is_left_out(entry, top))
        return self._matching(matches, top) if matches or self.skipped[known:] else None

    def _below(self, folder: str, top: str) -> Iterator[FoundFile]:
        """The files in a folder, at any depth; their names are relative to `top`."""
        for below, entries in walk(
            folder, lambda entry: not is_visible(entry.name) or self._is_left_out(entry, top)
        ):
            name = PurePath(os.path.relpath(below, top))
            for entry in entries:
                if _is_input(entry):
                    yield _found(entry.path, str(name / entry.name))
                elif entry.kind is not Kind.FOLDER:
                    self._skip(entry.path, top, STREAM if entry.kind is Kind.STREAM else OTHER_NAME)

    def _matching(self, matches: Sequence[str], top: str) -> Iterator[FoundFile]:
        """The files that a glob matches, and those in the folders that it matches."""
        for match in matches:
            kind = kind_of(match)
            if kind is Kind.FOLDER:
                yield from self._below(match, top)
            elif kind is Kind.STREAM:  # only who names it outright wants to wait for it
                self._skip(match, top, STREAM)
            elif kind is not None and not self._is_own(match):
                yield _found(match, os.path.relpath(match, top))

    def _is_left_out(self, entry: Entry, top: str) -> bool:
        """Whether a folder or a link is not followed; a link is listed as skipped then."""
        if not entry.is_link:
            return entry.kind is Kind.FOLDER and self._is_own(entry.path)
        if link_owners(entry.path) - {ADMINISTRATOR, os.geteuid()}:
            self._skip(entry.path, top, FOREIGN_LINK)
        elif self._is_own(entry.path):
            self._skip(entry.path, top, OWN_FOLDER)
        else:
            return False
        return True

    def _skip(self, path: str, top: str, reason: str) -> None:
        self.skipped.append(SkippedFile(path, as_utf8(os.path.relpath(path, top)), reason))

    def _is_own(self, path: str) -> bool:
        """Whether a path leads to one of the root's own folders or into one."""
        if self.root.is_remote:
            return False
        parts = Path(os.path.relpath(os.path.realpath(path), os.path.realpath(self.root.uri))).parts
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


def find_files(sources: Sequence[str], root: Root) -> FoundFiles:
    """Find the input files of a run; without any SOURCE those of `<root>/raw`.

    They are sorted by name, and each is there once: of several paths to a file that with the
    fewest links, then that in the latest date folder, then the first. Raises `SourceNotFound` when
    a SOURCE is not there or all hold no file that is read, `SourceDenied` or `ServiceFailed` when a
    folder cannot be listed.
    """
    skipped: list[SkippedFile] = []
    found: dict[Identity, list[FoundFile]] = {}
    for source in sources or [root.raw]:
        for file in _files_of(source, root, skipped, is_default=not sources):
            found.setdefault(_identity(file.uri), []).append(file)
    if not found:
        raise SourceNotFound(
            f"{', '.join(sources) or root.raw} holds no file to read",
            f"files in a folder are read when their name ends in {', '.join(TEXT_SUFFIXES)}, also "
            f"with {', '.join(PACKED_SUFFIXES)} after that, or in {ARCHIVE_SUFFIX}",
        )
    files = _with_unique_names(map(_best_path, found.values()))
    in_order = sorted(files, key=lambda f: (f.source, f.uri))
    not_read: dict[Identity, SkippedFile] = {}
    for skip in skipped:
        if _identity(skip.uri) not in found:
            not_read.setdefault(_identity(skip.uri, of_link=True), skip)
    return FoundFiles(tuple(in_order), tuple(not_read.values()))


def _files_of(
    source: str, root: Root, skipped: list[SkippedFile], *, is_default: bool
) -> Iterator[FoundFile]:
    """The files of one SOURCE. Raises `SourceNotFound`."""
    if source == STANDARD_INPUT:
        yield FoundFile(STANDARD_INPUT, STANDARD_INPUT, None)
        return
    lister: SourceLister = (
        S3Sources(root, skipped) if is_s3(source) else LocalSources(root, skipped)
    )
    found = lister.files(source)
    if found is not None:
        yield from found
    elif is_default:
        raise SourceNotFound(f"{source} is not there", f"name a SOURCE{_generated_instead(root)}")
    else:
        raise SourceNotFound(f"{source} is not there", "check the SOURCE's spelling")


def _generated_instead(root: Root) -> str:
    """Suggest synthetic records for an empty root, which are made on this machine only."""
    if root.is_remote:
        return ""
    return f", or try `{suggested_command('generate-data', root=root.absolute_uri)}` first"


def absolute_source(source: str, folder: str = "") -> str:
    """A SOURCE that was named in a folder, by default the current one, as any folder names it."""
    if source == STANDARD_INPUT or is_s3(source):
        return source
    return _absolute(str(Path(folder, source)))


# Equal for all paths to a file: device, inode, and should a network's file system give one inode to
# several files, size and time of change. The URI where there is none of it.
Identity = tuple[int, int, int, int] | str


def _identity(uri: str, *, of_link: bool = False) -> Identity:
    """The identity of a file, whatever its path; `of_link` that of a link itself."""
    if is_s3(uri) or uri == STANDARD_INPUT:
        return uri
    try:
        status = Path(uri).stat(follow_symlinks=not of_link)
    except OSError:
        return os.path.abspath(uri)  # noqa: PTH100 - of the link, not of what it leads to
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _best_path(files: Sequence[FoundFile]) -> FoundFile:
    """The path under which a file is read that was found by all of these."""
    if len(files) == 1:
        return files[0]

    def rank(file: FoundFile) -> tuple[int, int]:
        path = Path(file.uri).absolute()
        links = sum(is_link(str(each)) for each in (path, *path.parents))
        return links, -file.folder_date.toordinal() if file.folder_date else 0

    return min(files, key=rank)


def _with_unique_names(files: Iterable[FoundFile]) -> Iterator[FoundFile]:
    """Give files of two SOURCEs that have the same name their absolute paths as names."""
    by_name: dict[str, list[FoundFile]] = {}
    for file in files:
        by_name.setdefault(file.source, []).append(file)
    for group in by_name.values():
        if len(group) == 1:
            yield from group
        else:
            yield from (replace(file, source=as_utf8(_absolute(file.uri))) for file in group)


def _absolute(uri: str) -> str:
    """A path from the top of the file system; a URI as it is."""
    return uri if is_s3(uri) else os.path.abspath(uri)  # noqa: PTH100 - does not follow links


class SourceLister(Protocol):
    """Lists the files of SOURCEs in one kind of storage.

    The files of folders that are not read are added to the list `skipped`.
    """

    def files(self, source: str) -> Iterator[FoundFile] | None:
        """The files of a SOURCE; None where there is nothing of that name. Raises `UsageError`."""


@dataclass(frozen=True)
class S3Sources:
    """SOURCEs on S3: an object, a prefix, a glob.

    The size and the version in a listing are kept, so that no file needs a request of its own.
    """

    root: Root
    skipped: list[SkippedFile]

    def files(self, source: str) -> Iterator[FoundFile] | None:
        _, key = split_s3(source)
        try:
            return self._files(open_storage(source, self.root.access), source, key)
        except UsageError as error:
            cause = error.__cause__
            if isinstance(cause, Exception) and error_kind(cause) is ErrorKind.NO_BUCKET:
                raise SourceNotFound(
                    f"{source} is not there: no such bucket", "check the SOURCE's spelling"
                ) from error
            raise

    def _files(self, storage: Storage, source: str, key: str) -> Iterator[FoundFile] | None:
        if key and not key.endswith("/") and (stored := storage.stat(source)):
            return iter([_s3_file(stored, key.rpartition("/")[2])])
        folder = source.rstrip("/")
        if any(True for _ in storage.list(folder)):
            return self._below(storage, folder)
        if glob.has_magic(key):
            return self._matching(storage, source)
        return None

    def _below(self, storage: Storage, folder: str) -> Iterator[FoundFile]:
        """The files below a prefix."""
        for stored in storage.list(folder):
            name = stored.uri.removeprefix(f"{folder}/")
            if not self._is_own(stored.uri):
                yield from self._read(stored, name, name)

    def _matching(self, storage: Storage, pattern: str) -> Iterator[FoundFile] | None:
        """The files that a glob matches, and those below the prefixes that it matches."""
        folder = fixed_folder(pattern)
        pattern_parts = pattern.removeprefix(f"{folder}/").split("/")
        found: list[FoundFile] = []
        has_matches = False
        for stored in storage.list(folder):
            name = stored.uri.removeprefix(f"{folder}/")
            parts = name.split("/")
            depths = range(len(parts), -1, -1)
            depth = next((n for n in depths if _matches(parts[:n], pattern_parts)), None)
            if depth is None:
                continue
            has_matches = True
            if self._is_own(stored.uri):
                continue
            if depth == len(parts):
                found.append(_s3_file(stored, name))
            else:
                found += self._read(stored, name, "/".join(parts[depth:]))
        return iter(found) if has_matches else None

    def _read(self, stored: StoredFile, name: str, name_in_folder: str) -> Iterator[FoundFile]:
        """The file, unless its name in its folder says that it is skipped or hidden."""
        if not all(map(is_visible, name_in_folder.split("/"))):
            return
        if is_read(name_in_folder):
            yield _s3_file(stored, name)
        else:
            self.skipped.append(SkippedFile(stored.uri, name, OTHER_NAME))

    def _is_own(self, uri: str) -> bool:
        """Whether an object is in one of the root's own folders."""
        name = uri.removeprefix(f"{self.root.uri}/")
        return name != uri and is_own_folder(name.partition("/")[0])


def _s3_file(stored: StoredFile, name: str) -> FoundFile:
    _, key = split_s3(stored.uri)
    return FoundFile(stored.uri, name, folder_date(key.split("/")[-2::-1]), stored)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a glob matches a name, both split at slashes, as `glob.glob` does for paths."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        if _matches(parts, pattern[1:]):
            return True
        return bool(parts) and not parts[0].startswith(".") and _matches(parts[1:], pattern)
    if not parts or (parts[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
