"""What the pointer was: a copy of each of its documents, by generation, never changed.

A copy is written after the flip. Killed in between, it is made from the live pointer by whoever
comes next, and always before that pointer is replaced; so none is ever missing for good.
"""

import contextlib
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from healthpipe.errors import ServiceFailed
from healthpipe.publishing.pointer import decode, encode, read_live
from healthpipe.storage.layout import Root


def history(root: Root) -> list[dict[str, Any]]:
    """The documents of all generations that can be read, newest first, the live one with them."""
    return [document for _, document in recorded(root) if document]


def recorded(root: Root) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Each generation, newest first, with its document; None where the copy is damaged."""
    live = read_live(root)
    if live.document:
        # A root that may only be read, or is full, still tells.
        with contextlib.suppress(ServiceFailed):
            record(root, live.document)
    for generation in sorted(_generations(root) | {live.generation} - {0}, reverse=True):
        if generation == live.generation:
            yield generation, live.document
            continue
        found = root.storage.read(_copy(root, generation))
        document = decode(found[0]) if found else None
        matches = document is not None and document["generation"] == generation
        yield generation, document if matches else None


def record(root: Root, document: dict[str, Any]) -> None:
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
