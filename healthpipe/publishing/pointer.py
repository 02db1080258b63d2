"""The pointer to the live run, current.json, its history, and the flip to another run.

The pointer is the one truth of what is published. It is flipped conditionally: production becomes
another run whole, or stays what it is. The history has a copy of each of its documents, by
generation, never changed. A copy is written after the flip. Killed in between, it is made from the
live pointer by whoever comes next, and always before that pointer is replaced; so none is ever
missing for good.
"""

import contextlib
import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec

from healthpipe.errors import NothingPublished, PublishConflict, ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root, require_known_version

SCHEMA_VERSION = 1
Document = dict[str, Any]


class PublishedFile(msgspec.Struct, frozen=True):
    """A published file, its `path` relative to the root.

    `checksum` is S3's own of a file that was copied in parts, which is not its SHA-256.
    """

    path: str
    stage: str = ""
    format: str = ""
    rows: int = 0
    bytes: int = 0
    sha256: str = ""
    checksum: str | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True)
class PublishedRun:
    """What the pointer says, or said in an earlier generation, as its JSON document.

    The document is kept as it was read, for its copy in the history has the same bytes.
    """

    document: Document

    @property
    def generation(self) -> int:
        """The number of the flip, which only grows."""
        return int(self.document["generation"])

    @property
    def nonce(self) -> str:
        """A random text of the one who flipped, by which a flip is known again."""
        return str(self.document["nonce"])

    @property
    def run_id(self) -> str:
        """The run that was published."""
        return str(self.document["run_id"])

    @property
    def published_at(self) -> str:
        """When the pointer was flipped (UTC)."""
        return str(self.document["published_at"])

    @property
    def as_of(self) -> str:
        """The run's as-of date."""
        return str(self.document["as_of"])

    @property
    def files(self) -> list[PublishedFile]:
        """The published files."""
        return msgspec.convert(self.document["files"], list[PublishedFile])


@dataclass(frozen=True)
class LivePointer:
    """The pointer as it was read: its document, empty if there is none, and its ETag."""

    document: Document
    etag: str | None

    @property
    def published(self) -> PublishedRun | None:
        """What is live; None before anything was published."""
        return PublishedRun(self.document) if self.document else None

    @property
    def generation(self) -> int:
        """How often the pointer was flipped; 0 before the first time."""
        return self.published.generation if self.published else 0

    @property
    def nonce(self) -> str | None:
        """The nonce of the last flip."""
        return self.published.nonce if self.published else None

    @property
    def run_id(self) -> str | None:
        """The run that is live."""
        return self.published.run_id if self.published else None


def read_live(root: Root) -> LivePointer:
    """The pointer to the live run, or an empty one.

    Raises `ServiceFailed` if it is damaged, `NewerDocument` if a newer version wrote it.
    """
    found = root.storage.read(root.pointer)
    if found is None:
        return LivePointer({}, None)
    document = decode(found[0], root.pointer)
    if document is None:
        raise ServiceFailed(
            f"{root.pointer} is damaged",
            f"put the newest sound file of {root.history} in its place",
        )
    return LivePointer(document, found[1])


def require_published(root: Root) -> PublishedRun:
    """What is live. Raises `NothingPublished`, and what `read_live` raises."""
    published = read_live(root).published
    if published is None:
        raise nothing_published(root)
    return published


def nothing_published(root: Root) -> NothingPublished:
    """The error of a root without a live run."""
    return NothingPublished(
        f"{root.uri} has no published run", f"run `{root.command('orchestrate')}`"
    )


def encode(document: Document) -> bytes:
    """Serialize a pointer's document."""
    return (json.dumps(document, indent=1) + "\n").encode()


def decode(content: bytes, uri: str) -> Document | None:
    """Parse a pointer's document; None if it is damaged. Raises `NewerDocument`."""
    try:
        document = json.loads(content)
    except ValueError:
        return None
    require_known_version(document, SCHEMA_VERSION, uri)
    try:
        is_sound = (
            isinstance(document["generation"], int)
            and all(isinstance(document[name], str) for name in ("run_id", "nonce"))
            and all(isinstance(file["path"], str) for file in document["files"])
        )
    except (TypeError, KeyError):
        return None
    return document if is_sound else None


def history(root: Root) -> list[PublishedRun]:
    """All generations that can be read, newest first, the live one with them."""
    return [published for _, published in recorded_generations(root) if published]


def recorded_generations(root: Root) -> Iterator[tuple[int, PublishedRun | None]]:
    """Each generation, newest first, with what it published; None where the copy is damaged."""
    live = read_live(root)
    if live.published:
        # A root that may only be read, or is full, still has a history to show.
        with contextlib.suppress(ServiceFailed):
            record_generation(root, live.published)
    for generation in sorted(_generations(root) | {live.generation} - {0}, reverse=True):
        if generation == live.generation:
            yield generation, live.published
            continue
        uri = _copy(root, generation)
        found = root.storage.read(uri)
        document = decode(found[0], uri) if found else None
        matches = document is not None and document["generation"] == generation
        yield generation, PublishedRun(document) if document and matches else None


def record_generation(root: Root, published: PublishedRun) -> None:
    """Keep a copy of the live pointer's document, unless there is one already."""
    uri, content = _copy(root, published.generation), encode(published.document)
    found = root.storage.read(uri)
    if found:
        decode(found[0], uri)  # a damaged copy is replaced, one of a newer version refused
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
class FlipTarget:
    """The run to make live, with its files as the pointer's JSON has them."""

    run_id: str
    as_of: str
    options: Document
    files: Sequence[Document]

    @classmethod
    def again(cls, published: PublishedRun) -> "FlipTarget":
        """A run that was published before, to be made live again as it was."""
        document = published.document
        return cls(*(document[name] for name in ("run_id", "as_of", "options", "files")))


def flip(root: Root, target: FlipTarget, before: LivePointer, nonce: str) -> PublishedRun:
    """Make `target` the live run if `before` still is; returns what the pointer says now.

    Raises `PublishConflict`. The nonce tells our own flip from others when its answer is lost.
    """
    if before.published:
        record_generation(root, before.published)
    published = PublishedRun(
        {
            "schema_version": SCHEMA_VERSION,
            # Higher than any that was, even if the pointer was lost.
            "generation": max(before.generation, newest_generation(root)) + 1,
            "nonce": nonce,
            "run_id": target.run_id,
            "published_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "as_of": target.as_of,
            "options": target.options,
            "files": target.files,
        }
    )
    try:
        root.storage.put_if(root.pointer, encode(published.document), before.etag)
    except PreconditionFailed as error:
        found = find_flip(root, nonce)
        if found is None:
            raise publish_conflict(root) from error
        published = found
    # The flip is done, whatever becomes of its copy: the next reader writes a missing one.
    with contextlib.suppress(ServiceFailed):
        record_generation(root, published)
    return published


def find_flip(root: Root, nonce: str) -> PublishedRun | None:
    """What a flip with this nonce published, live or not any more, if there was one."""
    found = (published for _, published in recorded_generations(root))
    return next((each for each in found if each and each.nonce == nonce), None)


def publish_conflict(root: Root) -> PublishConflict:
    """The error of a flip that came too late."""
    return PublishConflict(
        "somebody else published while this run was at work; production is theirs",
        f"look at `{root.command('current', json=True)}`, then run again if yours is to follow",
    )
