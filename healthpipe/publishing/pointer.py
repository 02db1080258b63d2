"""The pointer to the live run: the one truth of what is published.

What the pointer was: a copy of each of its documents, by generation, never changed.

A copy is written after the flip. Killed in between, it is made from the live pointer by whoever
comes next, and always before that pointer is replaced; so none is ever missing for good.

The flip: production becomes another run whole, or stays what it is.
"""

import contextlib
import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from healthpipe.errors import NothingPublished, PublishConflict, ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class LivePointer:
    """The pointer as it was read: its document and the ETag to replace it by."""

    document: dict[str, Any]
    etag: str | None

    @property
    def generation(self) -> int:
        """How often the pointer was flipped; 0 before the first time."""
        return int(self.document.get("generation", 0))

    @property
    def nonce(self) -> str | None:
        """The word of whoever flipped it last."""
        return self.document.get("nonce")

    @property
    def run_id(self) -> str | None:
        """The run that is live."""
        return self.document.get("run_id")


def read_live(root: Root) -> LivePointer:
    """The pointer to the live run, or an empty one. Raises `ServiceFailed` if it is damaged."""
    found = root.storage.read(root.pointer)
    if found is None:
        return LivePointer({}, None)
    document = decode(found[0])
    if document is None:
        raise ServiceFailed(
            f"{root.pointer} is damaged",
            f"put the newest sound file of {root.history} in its place",
        )
    return LivePointer(document, found[1])


def published_files(root: Root, stage: str | None = None) -> list[str]:
    """The live published files, or those of a stage, its main one first.

    Raises `NothingPublished`.
    """
    document = read_live(root).document
    if not document:
        raise nothing_published(root)
    return [
        f"{root.uri}/{file['path']}"
        for file in document["files"]
        if stage is None or file["stage"] == stage
    ]


def nothing_published(root: Root) -> NothingPublished:
    """The error of a root without a live run."""
    return NothingPublished(f"{root.uri} has no published run", "run `healthpipe orchestrate`")


def encode(document: dict[str, Any]) -> bytes:
    """The bytes of a pointer's document."""
    return (json.dumps(document, indent=1) + "\n").encode()


def decode(content: bytes) -> dict[str, Any] | None:
    """The document of a pointer's bytes; None where they are damaged."""
    try:
        document = json.loads(content)
        is_sound = (
            isinstance(document["generation"], int)
            and all(isinstance(document[name], str) for name in ("run_id", "nonce"))
            and all(isinstance(file["path"], str) for file in document["files"])
        )
    except (ValueError, TypeError, KeyError):
        return None
    return document if is_sound else None


def history(root: Root) -> list[dict[str, Any]]:
    """The documents of all generations that can be read, newest first, the live one with them."""
    return [document for _, document in recorded_generations(root) if document]


def recorded_generations(root: Root) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Each generation, newest first, with its document; None where the copy is damaged."""
    live = read_live(root)
    if live.document:
        # A root that may only be read, or is full, still tells.
        with contextlib.suppress(ServiceFailed):
            record_generation(root, live.document)
    for generation in sorted(_generations(root) | {live.generation} - {0}, reverse=True):
        if generation == live.generation:
            yield generation, live.document
            continue
        found = root.storage.read(_copy(root, generation))
        document = decode(found[0]) if found else None
        matches = document is not None and document["generation"] == generation
        yield generation, document if matches else None


def record_generation(root: Root, document: dict[str, Any]) -> None:
    """Keep a copy of the live pointer's document, unless it is kept already."""
    uri, content = _copy(root, document["generation"]), encode(document)
    found = root.storage.read(uri)
    if found is None or found[0] != content:
        root.storage.write(uri, content)


def newest_generation(root: Root) -> int:
    """The highest generation that has a copy; 0 where none has."""
    return max(_generations(root), default=0)


def _generations(root: Root) -> set[int]:
    stems = (PurePath(file.uri).stem for file in root.storage.list(root.history))
    return {int(stem) for stem in stems if stem.isascii() and stem.isdigit()}


def _copy(root: Root, generation: int) -> str:
    return f"{root.history}/{generation:010}.json"


@dataclass(frozen=True)
class PublishedRun:
    """What the pointer says of a run: a file has path, stage, format, rows, bytes and sha256."""

    run_id: str
    as_of: str
    options: dict[str, Any]
    files: list[dict[str, Any]]


def flip(root: Root, published: PublishedRun, before: LivePointer, nonce: str) -> dict[str, Any]:
    """Make `published` the live run if `before` still is; returns the pointer's new document.

    Raises `PublishConflict`. The nonce tells our own flip from others when its answer is lost.
    """
    if before.document:
        record_generation(root, before.document)
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
            raise publish_conflict() from error
        document = found
    # The flip is done, whatever becomes of its copy: the next reader makes that good.
    with contextlib.suppress(ServiceFailed):
        record_generation(root, document)
    return document


def find_flip(root: Root, nonce: str) -> dict[str, Any] | None:
    """The document of a flip with this nonce, live or not any more, if there was one."""
    return next(
        (
            document
            for _, document in recorded_generations(root)
            if document and document["nonce"] == nonce
        ),
        None,
    )


def publish_conflict() -> PublishConflict:
    """The error of a flip that came too late."""
    return PublishConflict(
        "somebody else published while this run was at work; production is theirs",
        "look at `healthpipe current --json`, then run again if yours is to follow",
    )
