"""Copies of a run's outputs in production, and the pointer that makes them the live ones."""

import datetime
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from healthpipe.errors import NothingPublished, PublishConflict, ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Live:
    """The pointer as it was read: its document and the ETag to replace it by."""

    document: dict[str, Any]
    etag: str | None

    @property
    def generation(self) -> int:
        """How often the pointer was flipped; 0 before the first time."""
        return int(self.document.get("generation", 0))


@dataclass(frozen=True)
class Publication:
    """What a run publishes; an output has uri, stage, format, rows, bytes and sha256."""

    run_id: str
    as_of: str
    options: dict[str, Any]
    outputs: Sequence[dict[str, Any]]


def read_live(root: Root) -> Live:
    """The pointer to the live run, or an empty one."""
    found = root.storage.read(root.pointer)
    if found is None:
        return Live({}, None)
    return Live(json.loads(found[0]), found[1])


def published_files(root: Root, stage: str | None = None) -> list[str]:
    """The live published files, or those of a stage, its main one first.

    Raises `NothingPublished`.
    """
    document = read_live(root).document
    if not document:
        raise NothingPublished(f"{root.uri} has no published run", "run `healthpipe orchestrate`")
    return [
        f"{root.uri}/{file['path']}"
        for file in document["files"]
        if stage is None or file["stage"] == stage
    ]


def publish(root: Root, publication: Publication, before: Live) -> dict[str, Any]:
    """Copy the outputs and flip the pointer that was `before`; returns the pointer's document.

    Raises `PublishConflict` when the pointer is no longer that one.
    """
    folder = root.published(publication.run_id)
    files = [_copy(root, folder, output) for output in publication.outputs]
    document = {
        "schema_version": SCHEMA_VERSION,
        "generation": before.generation + 1,
        "nonce": uuid.uuid4().hex,
        "run_id": publication.run_id,
        "published_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "as_of": publication.as_of,
        "options": publication.options,
        "files": files,
    }
    content = json.dumps(document, indent=1) + "\n"
    try:
        root.storage.put_if(root.pointer, content.encode(), before.etag)
    except PreconditionFailed as error:
        root.storage.delete_folder(folder)
        raise PublishConflict(
            "somebody else published while this run was at work; production is theirs",
            "look at `healthpipe current --json`, then run again if yours is to follow",
        ) from error
    return document


def _copy(root: Root, folder: str, output: dict[str, Any]) -> dict[str, Any]:
    source: str = output["uri"]
    target = f"{folder}/{source.rpartition('/')[2]}"
    if root.storage.copy(source, target) != output["sha256"]:
        raise ServiceFailed(
            f"{source} is not what the run wrote", "run again; check the disk if it stays so"
        )
    kept = ("stage", "format", "rows", "bytes", "sha256")
    return {"path": target.removeprefix(f"{root.uri}/"), **{key: output[key] for key in kept}}
