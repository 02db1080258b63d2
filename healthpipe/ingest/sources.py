"""The files behind a SOURCE of this machine: a file, a folder, a glob.

The files behind a SOURCE on S3: an object, a prefix, a glob; by the rules of a local folder.

What a listing tells of a file is kept, so that no file needs a request of its own.

What SOURCE means: the files behind a file, folder, glob, s3:// URI or standard input.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from healthpipe.aws.errors import ErrorKind, error_kind
from healthpipe.errors import SourceNotFound, UsageError
from healthpipe.ingest.manifest import (
    STANDARD_INPUT,
    SUFFIXES,
    FoundFile,
    FoundFiles,
    folder_date,
    is_own_folder,
    is_read,
    is_visible,
)
from healthpipe.storage import open_storage
from healthpipe.storage.base import Storage, StoredFile
from healthpipe.storage.layout import Root
from healthpipe.storage.uris import is_s3, split_s3


def _local_files_of(source: str, root: Root, skipped: list[str]) -> Iterator[FoundFile] | None:
    """The files of a SOURCE; None where there is nothing of that name. What a folder holds beside
    them is added to `skipped`.
    """
    if Path(source).is_dir():
        return _local_files_below(source, root, skipped)
    if Path(source).exists():
        return iter([_local_found(source, Path(source).name)])
    if glob.has_magic(source) and (matches := sorted(glob.glob(source, recursive=True))):  # noqa: PTH207 - a whole path
        return _local_matching_files(source, matches, root, skipped)
    return None


def absolute(path: str) -> str:
    """A path from the top, without its detours: a/../b is b."""
    return os.path.abspath(path)  # noqa: PTH100


def shown(path: str) -> str:
    """A path as results show it, which is UTF-8 whatever the file system has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _local_files_below(folder: str, root: Root, skipped: list[str]) -> Iterator[FoundFile]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if is_visible(name) and not _local_is_own(Path(parent, name), root)
        )
        for name in sorted(filter(is_visible, names)):
            path = Path(parent, name)
            if is_read(name):
                yield _local_found(str(path), path.relative_to(folder).as_posix())
            else:
                skipped.append(str(path))


def _local_matching_files(
    pattern: str, matches: Sequence[str], root: Root, skipped: list[str]
) -> Iterator[FoundFile]:
    fixed = pattern[: glob.escape(pattern).find("[")].rpartition("/")[0]
    for match in matches:
        if _local_is_own(Path(match), root):
            continue
        if Path(match).is_dir():
            for file in _local_files_below(match, root, skipped):
                yield replace(file, source=os.path.relpath(file.uri, fixed or "."))
        else:
            yield _local_found(match, os.path.relpath(match, fixed or "."))


def _local_is_own(path: Path, root: Root) -> bool:
    """Whether a path is one of the root's own folders or in one."""
    if root.is_remote:
        return False
    parts = Path(os.path.relpath(path.resolve(), Path(root.uri).resolve())).parts
    return bool(parts) and is_own_folder(parts[0])


def _local_found(uri: str, source: str) -> FoundFile:
    above = (folder.name for folder in Path(uri).absolute().parents)
    return FoundFile(uri, shown(source), folder_date(above))


ANY_FOLDERS = "**"


def _s3_files_of(source: str, root: Root, skipped: list[str]) -> Iterator[FoundFile] | None:
    """The files of a SOURCE; None where there is nothing of that name. What a prefix holds beside
    them is added to `skipped`. Raises `UsageError`.
    """
    _, key = split_s3(source)
    try:
        return _files(open_storage(source, root.access), source, key, root, skipped)
    except UsageError as error:
        if (
            isinstance(error.__cause__, Exception)
            and error_kind(error.__cause__) is ErrorKind.NO_BUCKET
        ):
            raise SourceNotFound(
                f"{source} is not there: no such bucket", "check the SOURCE's spelling"
            ) from error
        raise


def _files(
    storage: Storage, source: str, key: str, root: Root, skipped: list[str]
) -> Iterator[FoundFile] | None:
    if key and not key.endswith("/") and (listed := storage.stat(source)):
        return iter([_s3_found(listed, key.rpartition("/")[2])])
    folder = source.rstrip("/")
    if any(True for _ in storage.list(folder)):
        return _s3_files_below(storage, folder, root, skipped)
    if glob.has_magic(key):
        return _s3_matching_files(storage, source, root, skipped)
    return None


def _s3_files_below(
    storage: Storage, folder: str, root: Root, skipped: list[str]
) -> Iterator[FoundFile]:
    for listed in storage.list(folder):
        name = listed.uri.removeprefix(f"{folder}/")
        if not _s3_is_own(listed.uri, root):
            yield from _read(listed, name, name, skipped)


def _s3_matching_files(
    storage: Storage, pattern: str, root: Root, skipped: list[str]
) -> Iterator[FoundFile] | None:
    fixed = pattern[: glob.escape(pattern).find("[")].rpartition("/")[0]
    parts = pattern.removeprefix(f"{fixed}/").split("/")
    found: list[FoundFile] = []
    is_there = False
    for listed in storage.list(fixed):
        name = listed.uri.removeprefix(f"{fixed}/")
        own = name.split("/")
        depth = next((n for n in range(len(own), -1, -1) if _matches(own[:n], parts)), None)
        if depth is None:
            continue
        is_there = True
        if _s3_is_own(listed.uri, root):
            continue
        if depth == len(own):
            found.append(_s3_found(listed, name))
        else:
            found += _read(listed, name, "/".join(own[depth:]), skipped)
    return iter(found) if is_there else None


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a name are matched by those of a glob, as by that of a local path."""
    if not pattern:
        return not parts
    if pattern[0] == ANY_FOLDERS:
        if _matches(parts, pattern[1:]):
            return True
        return bool(parts) and not parts[0].startswith(".") and _matches(parts[1:], pattern)
    if not parts or (parts[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _read(listed: StoredFile, name: str, below: str, skipped: list[str]) -> Iterator[FoundFile]:
    """The file if it is one that is read in a folder; `below` is its name in that folder."""
    if not all(map(is_visible, below.split("/"))):
        return
    if is_read(below):
        yield _s3_found(listed, name)
    else:
        skipped.append(listed.uri)


def _s3_is_own(uri: str, root: Root) -> bool:
    """Whether an object is in one of the root's own folders."""
    name = uri.removeprefix(f"{root.uri}/")
    return name != uri and is_own_folder(name.partition("/")[0])


def _s3_found(listed: StoredFile, name: str) -> FoundFile:
    _, key = split_s3(listed.uri)
    return FoundFile(listed.uri, name, folder_date(key.split("/")[-2::-1]), listed)


def find_files(sources: Sequence[str], root: Root) -> FoundFiles:
    """The input files of a run; without any SOURCE those of `<root>/raw`.

    Raises `SourceNotFound` when a SOURCE is not there or all hold no file that is read.
    """
    skipped: list[str] = []
    files: dict[str, FoundFile] = {}
    for source in sources or [root.raw]:
        for file in _files_of(source, root, skipped, is_default=not sources):
            files.setdefault(_identity(file.uri), file)
    if not files:
        raise SourceNotFound(
            f"{', '.join(sources) or root.raw} holds no file to read",
            f"files in a folder are read when their name ends in {', '.join(SUFFIXES[::2])} or .gz",
        )
    named = _with_unique_names(files.values())
    in_order = sorted(named, key=lambda file: (file.source, file.uri))
    read = {_identity(file.uri) for file in in_order}
    passed_over = (name for name in dict.fromkeys(skipped) if _identity(name) not in read)
    return FoundFiles(tuple(in_order), tuple(passed_over))


def _files_of(
    source: str, root: Root, skipped: list[str], *, is_default: bool
) -> Iterator[FoundFile]:
    if source == STANDARD_INPUT:
        yield FoundFile(STANDARD_INPUT, STANDARD_INPUT, None)
        return
    files_of = _s3_files_of if is_s3(source) else _local_files_of
    found = files_of(source, root, skipped)
    if found is not None:
        yield from found
    elif is_default:
        raise SourceNotFound(
            f"{source} is not there", "name a SOURCE, or try `healthpipe generate-data` first"
        )
    else:
        raise SourceNotFound(f"{source} is not there", "check the SOURCE's spelling")


def _identity(uri: str) -> str:
    """What two ways to one file have in common."""
    return uri if is_s3(uri) else absolute(uri)


def _with_unique_names(files: Iterable[FoundFile]) -> Iterator[FoundFile]:
    """Files of two SOURCEs that would have the same name get their absolute path as name."""
    by_name: dict[str, list[FoundFile]] = {}
    for file in files:
        by_name.setdefault(file.source, []).append(file)
    for group in by_name.values():
        if len(group) == 1:
            yield from group
        else:
            yield from (replace(file, source=shown(_identity(file.uri))) for file in group)
