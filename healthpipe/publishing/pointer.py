"""The pointer to the live run: the one truth of what is published."""

import json
from dataclasses import dataclass
from typing import Any

from healthpipe.errors import NothingPublished, ServiceFailed
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

    @property
    def nonce(self) -> str | None:
        """The word of whoever flipped it last."""
        return self.document.get("nonce")

    @property
    def run_id(self) -> str | None:
        """The run that is live."""
        return self.document.get("run_id")


def read_live(root: Root) -> Live:
    """The pointer to the live run, or an empty one. Raises `ServiceFailed` if it is damaged."""
    found = root.storage.read(root.pointer)
    if found is None:
        return Live({}, None)
    document = decode(found[0])
    if document is None:
        raise ServiceFailed(
            f"{root.pointer} is damaged",
            f"put the newest sound file of {root.history} in its place",
        )
    return Live(document, found[1])


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
