"""The flip: production becomes another run whole, or stays what it is."""

import contextlib
import datetime
from dataclasses import dataclass
from typing import Any

from healthpipe.errors import PublishConflict, ServiceFailed
from healthpipe.publishing.pointer import SCHEMA_VERSION, Live, encode
from healthpipe.stages.history import newest_generation, record, recorded
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root


@dataclass(frozen=True)
class Published:
    """What the pointer says of a run: a file has path, stage, format, rows, bytes and sha256."""

    run_id: str
    as_of: str
    options: dict[str, Any]
    files: list[dict[str, Any]]


def flip(root: Root, published: Published, before: Live, nonce: str) -> dict[str, Any]:
    """Make `published` the live run if `before` still is; returns the pointer's new document.

    Raises `PublishConflict`. The nonce tells our own flip from others when its answer is lost.
    """
    if before.document:
        record(root, before.document)
    document = {
        "schema_version": SCHEMA_VERSION,
        # Higher than any that was, even if the pointer was lost.
        "generation": max(before.generation, newest_generation(root)) + 1,
        "nonce": nonce,
        "run_id": published.run_id,
        "published_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "as_of": published.as_of,
        "options": published.options,
        "files": published.files,
    }
    try:
        root.storage.put_if(root.pointer, encode(document), before.etag)
    except PreconditionFailed as error:
        found = find_flip(root, nonce)
        if found is None:
            raise conflict() from error
        document = found
    # The flip is done, whatever becomes of its copy: the next reader makes that good.
    with contextlib.suppress(ServiceFailed):
        record(root, document)
    return document


def find_flip(root: Root, nonce: str) -> dict[str, Any] | None:
    """The document of a flip with this nonce, live or not any more, if there was one."""
    return next(
        (document for _, document in recorded(root) if document and document["nonce"] == nonce),
        None,
    )


def conflict() -> PublishConflict:
    """The error of a flip that came too late."""
    return PublishConflict(
        "somebody else published while this run was at work; production is theirs",
        "look at `healthpipe current --json`, then run again if yours is to follow",
    )
