"""A rejected line as a person or a script sees it."""

import base64
from typing import Any

from healthpipe.ingest.manifest import InputFile
from healthpipe.stages.resolutions import RejectedLine


def as_document(
    rejected: RejectedLine, number: int | None, file: InputFile, run_folder: str
) -> dict[str, Any]:
    """A line as JSON: its text, or its bytes in base64 where they are not UTF-8.

    Of what has no line here `look_at` is the file that holds it.
    """
    text, encoding = _encoded(rejected.line)
    document = {
        "source": rejected.source,
        "number": number,
        "numbered_by": "item" if file.shape.has_items else "line",
        "reasons": list(rejected.reasons),
        "resolved": rejected.is_resolved,
        "line": text,
        "encoding": encoding,
    }
    if rejected.line is None:
        kept_in = rejected.kept_in
        document["look_at"] = f"{run_folder}/{kept_in}" if kept_in else file.uri
    return document


def as_row(document: dict[str, Any]) -> tuple[str, str, str, str]:
    """A line as a row of a table, from its document."""
    number = "?" if document["number"] is None else str(document["number"])
    if document["line"] is None:
        number = "-"
    elif document["numbered_by"] == "item":
        number = f"item {number}"
    reasons = ", ".join(document["reasons"]) + (" (resolved)" if document["resolved"] else "")
    if document["line"] is None:
        line = f"(look at {document['look_at']})"
    else:
        line = ("base64:" if document["encoding"] == "base64" else "") + document["line"]
    return document["source"], number, reasons, line


def _encoded(line: bytes | None) -> tuple[str | None, str | None]:
    if line is None:
        return None, None
    try:
        return line.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(line).decode(), "base64"
