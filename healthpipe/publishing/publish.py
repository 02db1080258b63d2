"""Copies of a run's outputs in production, then the flip of the pointer that makes them live.

Production becomes a run again that was live before.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import PublishConflict, RollbackRefused, ServiceFailed
from healthpipe.publishing.pointer import (
    LivePointer,
    PublishedRun,
    find_flip,
    flip,
    history,
    nothing_published,
    publish_conflict,
    read_live,
)
from healthpipe.storage.base import COMPOSITE
from healthpipe.storage.layout import Root

KEPT = ("stage", "format", "rows", "bytes", "sha256")


@dataclass(frozen=True)
class Publication:
    """What a run publishes; an output has uri, name, stage, format, rows, bytes and sha256."""

    run_id: str
    as_of: str
    options: dict[str, Any]
    outputs: Sequence[dict[str, Any]]


def publish(
    root: Root,
    publication: Publication,
    before: LivePointer,
    nonce: str,
    *,
    pause: Callable[[], None] = raise_if_cancelled,
) -> dict[str, Any]:
    """Copy the outputs and flip the pointer that was `before`; returns the pointer's document.

    May be called again with the same nonce: files that are there are not copied again, and a flip
    that was done is not done twice. Raises `PublishConflict` when the pointer is no longer
    `before`. `pause` is called before each file and before the flip; it may raise.
    """
    live = read_live(root)
    if live.nonce == nonce:
        return live.document
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
        files.append(_publish_file(root, folder, output))
    pause()
    run = PublishedRun(publication.run_id, publication.as_of, publication.options, files)
    try:
        return flip(root, run, before, nonce)
    except PublishConflict:
        _withdraw_unpublished(root, publication.run_id)
        raise


def _withdraw_unpublished(root: Root, run_id: str) -> None:
    """Remove the copies of a run that was never live; what cannot be removed is left to prune."""
    if run_id not in {document["run_id"] for document in history(root)}:
        with contextlib.suppress(ServiceFailed):
            root.storage.remove_atomically(root.published(run_id))


def _publish_file(root: Root, folder: str, output: dict[str, Any]) -> dict[str, Any]:
    """Copy a file unless it is there already; what the pointer says of it.

    What S3 copies in parts has a checksum of its own kind, which is noted.
    """
    source: str = output["uri"]
    target = f"{folder}/{output['name']}"
    told = {"path": target.removeprefix(f"{root.uri}/"), **{key: output[key] for key in KEPT}}
    if is_intact(root, target, output):
        return told
    checksum = root.storage.copy(source, target)
    if checksum.startswith(COMPOSITE):
        return told | {"checksum": checksum}
    if checksum != output["sha256"]:
        raise ServiceFailed(
            f"{source} is not what the run wrote", "run again; check the disk if it stays so"
        )
    return told


def is_intact(root: Root, uri: str, file: dict[str, Any]) -> bool:
    """Whether a published file is there with the bytes and the SHA-256 that `file` tells."""
    found = root.storage.stat(uri)
    return (
        found is not None
        and found.size == file["bytes"]
        and root.storage.sha256(uri) == file["sha256"]
    )


def rollback(root: Root, run_id: str | None, nonce: str) -> dict[str, Any]:
    """Flip back to a published run; returns the pointer's new document.

    Without `run_id` to the run that was live last before the one that is: twice in a row leads
    back to where it began. May be called again with the same nonce. Raises `NothingPublished`,
    `RollbackRefused` and, if somebody publishes meanwhile, `PublishConflict`.
    """
    live = read_live(root)
    if live.nonce == nonce:
        return live.document
    if not live.document:
        raise nothing_published(root)
    if flipped := find_flip(root, nonce):
        return flipped
    target = _target(root, run_id, str(live.run_id))
    for file in target["files"]:
        raise_if_cancelled()
        if not is_intact(root, f"{root.uri}/{file['path']}", file):
            raise RollbackRefused(
                f"{file['path']} of run {target['run_id']} is gone or not what was published",
                _choose(root),
            )
    published = PublishedRun(target["run_id"], target["as_of"], target["options"], target["files"])
    return flip(root, published, live, nonce)


def _target(root: Root, run_id: str | None, live: str) -> dict[str, Any]:
    """The newest document of the run, or of the run before the live one."""
    if run_id == live:
        raise RollbackRefused(f"run {run_id} is live already", "look at `healthpipe current`")
    for document in history(root):
        if document["run_id"] == run_id or (run_id is None and document["run_id"] != live):
            return document
    if run_id is None:
        raise RollbackRefused(f"no other run than {live} was ever published", "nothing to do")
    raise RollbackRefused(f"run {run_id} was never published", _choose(root))


def _choose(root: Root) -> str:
    return f"name another run that has a folder in {root.production}"
