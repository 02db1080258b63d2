"""Verify published files: each is there with the size and the SHA-256 that the pointer records.

S3 tells the checksum of an object without reading it; files on this machine are read.
"""

import shlex
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path

import msgspec

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import HealthpipeError, PublishedDamaged
from healthpipe.publishing.pointer import PublishedFile
from healthpipe.storage import open_storage
from healthpipe.storage.base import COMPOSITE
from healthpipe.storage.layout import Root

THREADS = 8
OTHER_CONTENT = "is not what was published: it has another SHA-256"


@dataclass(frozen=True)
class Damage:
    """A published file, its `path` relative to the root, and what is wrong with it."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


def is_intact(root: Root, file: PublishedFile) -> bool:
    """Whether a published file is there with its size and its SHA-256, read where S3 has none."""
    uri = f"{root.uri}/{file.path}"
    found = root.storage.stat(uri)
    return (
        found is not None and found.size == file.bytes and root.storage.sha256(uri) == file.sha256
    )


def find_damage(root: Root, files: Sequence[PublishedFile]) -> list[Damage]:
    """List the published files that are gone or not what was published.

    Nothing is fetched from S3: where it knows no checksum, the size alone is compared.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(copy_context().run, _damage_of, root, file) for file in files]
        found = [future.result() for future in futures]
    return [damage for damage in found if damage]


def require_intact(root: Root, files: Sequence[PublishedFile]) -> None:
    """Raise `PublishedDamaged` if a file is gone or not what was published."""
    if damaged := find_damage(root, files):
        raise published_damaged(root, damaged)


def fetch_intact(root: Root, files: Sequence[PublishedFile]) -> Sequence[Path]:
    """Return local files with the content of published ones, all of their bytes verified.

    Raises `PublishedDamaged`.
    """
    require_intact(root, files)
    if not root.is_remote:
        return [Path(root.uri, file.path) for file in files]
    copies = root.storage.local_copies([f"{root.uri}/{file.path}" for file in files])
    here = open_storage(str(copies[0])) if copies else root.storage
    damaged = [
        Damage(file.path, OTHER_CONTENT)
        for file, copy in zip(files, copies, strict=True)
        if here.sha256(str(copy)) != file.sha256
    ]
    if damaged:
        raise published_damaged(root, damaged)
    return copies


def published_damaged(root: Root, damaged: Sequence[Damage]) -> PublishedDamaged:
    """The error of published files that are damaged, and the way to an earlier run."""
    more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
    return PublishedDamaged(
        f"{damaged[0]}{more}",
        f"`healthpipe runs rollback --root {shlex.quote(root.uri)}` makes the run before it live;"
        " if there is none, `orchestrate --force` publishes anew",
    )


def damage_json(damaged: Iterable[Damage]) -> list[dict[str, str]]:
    """The damaged files as documents have them."""
    return [msgspec.to_builtins(each) for each in damaged]


def _damage_of(root: Root, file: PublishedFile) -> Damage | None:
    raise_if_cancelled()
    try:
        known = root.storage.checksum(f"{root.uri}/{file.path}")
    except HealthpipeError:
        raise
    except OSError as error:
        return Damage(file.path, f"cannot be read: {error.strerror}")
    if known is None:
        return Damage(file.path, "is gone")
    if known.size != file.bytes:
        return Damage(file.path, f"is not what was published: {known.size} bytes, not {file.bytes}")
    return None if _has_content(file, known.checksum) else Damage(file.path, OTHER_CONTENT)


def _has_content(file: PublishedFile, checksum: str | None) -> bool:
    """Whether a checksum is the file's; one that nobody recorded or knows says nothing."""
    if checksum is None:
        return True
    if not checksum.startswith(COMPOSITE):
        return checksum == file.sha256
    return file.checksum is msgspec.UNSET or _without_parts(checksum) == _without_parts(
        file.checksum
    )


def _without_parts(checksum: str) -> str:
    """A composite checksum without the number of parts, which not every service tells."""
    return checksum.partition("-")[0]
