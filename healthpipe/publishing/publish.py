"""Publish a run, verify what is published, and roll back to a run published before.

A run's outputs are copied to production, then the flip of the pointer makes them live. A file is
intact if it has the size and the SHA-256 that the pointer records: S3 tells the checksum of an
object without reading it; files on this machine are read.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path

import msgspec

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import (
    HealthpipeError,
    PublishConflict,
    PublishedDamaged,
    RollbackRefused,
    ServiceFailed,
)
from healthpipe.publishing.pointer import (
    Document,
    FlipTarget,
    LivePointer,
    PublishedFile,
    PublishedRun,
    find_flip,
    flip,
    history,
    nothing_published,
    publish_conflict,
    read_live,
)
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
    """The error of published files that are damaged, and the way to an earlier run or a new one."""
    more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
    live = read_live(root).run_id
    hint = (
        "no run before it is there to go back to;"
        f" `{root.command('orchestrate', force=True)}` publishes anew,"
        " with the SOURCEs and options that were given, if any were"
    )
    earlier = next((each for each in history(root) if each.run_id != live), None)
    if earlier and not find_damage(root, earlier.files):
        hint = f"`{root.command('runs', 'rollback')}` makes the run before it live"
    return PublishedDamaged(f"{damaged[0]}{more}", hint)


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


class OutputFile(msgspec.Struct, frozen=True):
    """A file that a run has written: `uri` is where it lies, `name` is its name in production."""

    uri: str
    name: str
    stage: str
    format: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Publication:
    """What a run publishes; `options` as the pointer's JSON has them."""

    run_id: str
    as_of: str
    options: Document
    outputs: Sequence[OutputFile]


def publish(
    root: Root,
    publication: Publication,
    before: LivePointer,
    nonce: str,
    *,
    pause: Callable[[], None] = raise_if_cancelled,
) -> PublishedRun:
    """Copy the outputs and flip the pointer that was `before`; returns what the pointer says now.

    May be called again with the same nonce: files that are there are not copied again, and a flip
    that was done is not done twice. Raises `PublishConflict` when the pointer is no longer
    `before`. `pause` is called before each file and before the flip; it may raise.
    """
    live = read_live(root)
    if live.published and live.nonce == nonce:
        return live.published
    if live.etag != before.etag:
        # Ours may have been live in between.
        if flipped := find_flip(root, nonce):
            return flipped
        _withdraw_unpublished(root, publication.run_id)
        raise publish_conflict(root)
    folder = root.published(publication.run_id)
    files = []
    for output in publication.outputs:
        pause()
        files.append(msgspec.to_builtins(_publish_file(root, folder, output)))
    pause()
    target = FlipTarget(publication.run_id, publication.as_of, publication.options, files)
    try:
        return flip(root, target, before, nonce)
    except PublishConflict:
        _withdraw_unpublished(root, publication.run_id)
        raise


def _withdraw_unpublished(root: Root, run_id: str) -> None:
    """Remove the copies of a run that was never live; what cannot be removed is left to prune."""
    if run_id not in {published.run_id for published in history(root)}:
        with contextlib.suppress(ServiceFailed):
            root.storage.remove_atomically(root.published(run_id))


def _publish_file(root: Root, folder: str, output: OutputFile) -> PublishedFile:
    """Copy a file to production unless it is there already."""
    target = f"{folder}/{output.name}"
    published = PublishedFile(
        target.removeprefix(f"{root.uri}/"),
        output.stage,
        output.format,
        output.rows,
        output.bytes,
        output.sha256,
    )
    if is_intact(root, published):
        return published
    checksum = root.storage.copy(output.uri, target)
    if checksum.startswith(COMPOSITE):
        return msgspec.structs.replace(published, checksum=checksum)
    if checksum != output.sha256:
        raise ServiceFailed(
            f"{output.uri} is not what the run wrote", "run again; check the disk if it stays so"
        )
    return published


def rollback(root: Root, run_id: str | None, nonce: str) -> PublishedRun:
    """Flip back to a published run; returns what the pointer says now.

    Without `run_id` to the run that was live last before the one that is: twice in a row leads
    back to where it began. May be called again with the same nonce. Raises `NothingPublished`,
    `RollbackRefused` and, if somebody publishes meanwhile, `PublishConflict`.
    """
    live = read_live(root)
    if live.published is None:
        raise nothing_published(root)
    if live.nonce == nonce:
        return live.published
    if flipped := find_flip(root, nonce):
        return flipped
    published = _find_target(root, run_id, live.published.run_id)
    for file in published.files:
        raise_if_cancelled()
        if not is_intact(root, file):
            raise RollbackRefused(
                f"{file.path} of run {published.run_id} is gone or not what was published",
                _choose_hint(root),
            )
    return flip(root, FlipTarget.again(published), live, nonce)


def _find_target(root: Root, run_id: str | None, live: str) -> PublishedRun:
    """The newest generation of the run, or of the run before the live one.

    Raises `RollbackRefused`.
    """
    if run_id == live:
        raise RollbackRefused(
            f"run {run_id} is live already", f"look at `{root.command('current')}`"
        )
    for published in history(root):
        if published.run_id == run_id or (run_id is None and published.run_id != live):
            return published
    if run_id is None:
        raise RollbackRefused(
            f"no other run than {live} was ever published",
            f"`{root.command('orchestrate', force=True)}` publishes anew",
        )
    raise RollbackRefused(f"run {run_id} was never published", _choose_hint(root))


def _choose_hint(root: Root) -> str:
    return f"name another run that has a folder in {root.production}"
