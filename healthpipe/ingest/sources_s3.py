"""The files behind a SOURCE on S3: an object, a prefix, a glob; by the rules of a local folder.

What a listing tells of a file is kept, so that no file needs a request of its own.
"""

import glob
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from healthpipe.aws.errors import Kind, kind_of
from healthpipe.errors import SourceNotFound, UsageError
from healthpipe.ingest.found import FoundFile, folder_date, is_own_folder, is_read, is_visible
from healthpipe.storage import open_storage
from healthpipe.storage.base import Storage, StoredFile
from healthpipe.storage.layout import Root
from healthpipe.storage.uris import split_s3

ANY_FOLDERS = "**"


def files_of(source: str, root: Root, skipped: list[str]) -> Iterator[FoundFile] | None:
    """The files of a SOURCE; None where there is nothing of that name. What a prefix holds beside
    them is added to `skipped`. Raises `UsageError`.
    """
    _, key = split_s3(source)
    try:
        return _files(open_storage(source, root.access), source, key, root, skipped)
    except UsageError as error:
        if isinstance(error.__cause__, Exception) and kind_of(error.__cause__) is Kind.NO_BUCKET:
            raise SourceNotFound(
                f"{source} is not there: no such bucket", "check the SOURCE's spelling"
            ) from error
        raise


def _files(
    storage: Storage, source: str, key: str, root: Root, skipped: list[str]
) -> Iterator[FoundFile] | None:
    if key and not key.endswith("/") and (listed := storage.stat(source)):
        return iter([_found(listed, key.rpartition("/")[2])])
    folder = source.rstrip("/")
    if any(True for _ in storage.list(folder)):
        return _files_below(storage, folder, root, skipped)
    if glob.has_magic(key):
        return _matching_files(storage, source, root, skipped)
    return None


def _files_below(
    storage: Storage, folder: str, root: Root, skipped: list[str]
) -> Iterator[FoundFile]:
    for listed in storage.list(folder):
        name = listed.uri.removeprefix(f"{folder}/")
        if not _is_own(listed.uri, root):
            yield from _read(listed, name, name, skipped)


def _matching_files(
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
        if _is_own(listed.uri, root):
            continue
        if depth == len(own):
            found.append(_found(listed, name))
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
        yield _found(listed, name)
    else:
        skipped.append(listed.uri)


def _is_own(uri: str, root: Root) -> bool:
    """Whether an object is in one of the root's own folders."""
    name = uri.removeprefix(f"{root.uri}/")
    return name != uri and is_own_folder(name.partition("/")[0])


def _found(listed: StoredFile, name: str) -> FoundFile:
    _, key = split_s3(listed.uri)
    return FoundFile(listed.uri, name, folder_date(key.split("/")[-2::-1]), listed)
