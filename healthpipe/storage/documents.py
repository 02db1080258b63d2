"""The versions of the documents in a root: what a newer healthpipe wrote is refused, never misread.

A refused document is never overwritten, for whoever would write it has to read it first.
"""

from typing import Any

from healthpipe.errors import NewerDocument


def require_known_version(document: Any, known: int, name: str) -> None:
    """Raise `NewerDocument` if the `schema_version` of a JSON document is above the `known` one.

    `name` is what the message calls the document. One that is damaged passes: see who reads it.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > known:
        raise NewerDocument(name, version, known)
