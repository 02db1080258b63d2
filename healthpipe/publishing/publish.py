"""Publish a run, and roll back to one that was published before.

A run's outputs are copied to production, then the flip of the pointer makes them live.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import PublishConflict, RollbackRefused, ServiceFailed
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
from healthpipe.publishing.verify import is_intact
from healthpipe.storage.base import COMPOSITE
from healthpipe.storage.layout import Root


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
        raise publish_conflict()
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
        raise RollbackRefused(f"run {run_id} is live already", "look at `healthpipe current`")
    for published in history(root):
        if published.run_id == run_id or (run_id is None and published.run_id != live):
            return published
    if run_id is None:
        raise RollbackRefused(f"no other run than {live} was ever published", "nothing to do")
    raise RollbackRefused(f"run {run_id} was never published", _choose_hint(root))


def _choose_hint(root: Root) -> str:
    return f"name another run that has a folder in {root.production}"
