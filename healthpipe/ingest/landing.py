"""Files that an engine cannot read where they lie, rewritten as newline-delimited lines.

A line that no engine could take is kept as `base64 of its bytes, U+0001, reason`; one too large
for that in a file of its own, as `name of that file, U+0001, too_large`. A file that breaks off
becomes one such line.

Where files that are rewritten, or can be read once only, are kept.
"""

import base64
import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from healthpipe.contract import MAX_LINE_BYTES, Reason
from healthpipe.ingest.content import (
    BLANK,
    BYTE_ORDER_MARK,
    DAMAGED_GZIP,
    Content,
    Piece,
    copy_line,
    pieces,
)
from healthpipe.ingest.formats import Shape, may_be_container, records_in
from healthpipe.ingest.json_splitter import InvalidJson, JsonSplitter, TruncatedJson
from healthpipe.storage.base import Storage, StoredFile
from healthpipe.storage.private import make_private_file

SET_ASIDE = b"\x01"


def land(content: Content, target: Path) -> int:
    """Rewrite a file, plain or gzip, to `target`; lines of more than 8 MB go beside it.

    Returns how many lines it has.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with content.decompressed() as reader, target.open("wb") as writer:
            return _write_lines(pieces(reader), writer, target)
    except DAMAGED_GZIP:
        land_rejected(target, Reason.FILE_TRUNCATED)
        return 1


def is_container(content: Content) -> bool:
    """Whether the first lines of a file, plain or gzip, leave open that it is a container."""
    with content.decompressed() as reader:
        return may_be_container(reader)


def land_container(content: Content, target: Path) -> tuple[Shape, int] | None:
    """Rewrite a container, plain or gzip, to `target`, a record a line; None if it is none.

    Returns its shape and how many records it has.

    One that breaks off is rejected whole, and none of its records used.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    spill = target.with_suffix(".spill")
    try:
        with contextlib.ExitStack() as stack:

            def open_values() -> JsonSplitter:
                return JsonSplitter(stack.enter_context(content.decompressed()), spill)

            shape, records = records_in(open_values)
            with target.open("wb") as writer:
                count = _write_records(records, writer, target)
    except TruncatedJson:
        land_rejected(target, Reason.FILE_NOT_JSON)
        return Shape.BROKEN, 1
    except InvalidJson:
        _remove_large(target)
        target.unlink(missing_ok=True)
        return None
    finally:
        spill.unlink(missing_ok=True)
    return (Shape.OBJECT if shape is Shape.OBJECTS and count == 1 else shape), count


def land_rejected(target: Path, reason: Reason) -> None:
    """Make `target` stand for a whole file that is rejected, which counts as one line."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_large(target)
    target.write_bytes(SET_ASIDE + reason.encode() + b"\n")


def large_lines(target: Path) -> list[Path]:
    """The files beside a landed one that keep its lines of more than 8 MB."""
    return sorted(target.parent.glob(f"{target.stem}-*.bin"))


def _remove_large(target: Path) -> None:
    for path in large_lines(target):
        path.unlink()


def _large_line(kept: Path) -> bytes:
    """What stands for a line that a file of its own keeps."""
    return f"landed/{kept.name}".encode() + SET_ASIDE + Reason.TOO_LARGE.encode()


def _write_records(records: Iterator[str | Path], writer: BinaryIO, target: Path) -> int:
    """Write records, a line each; returns how many. A path is the file of one too large to hold."""
    count = 0
    for count, record in enumerate(records, start=1):
        line = record.encode() if isinstance(record, str) else b""
        if line and len(line) <= MAX_LINE_BYTES:
            writer.write(line + b"\n")
            continue
        kept = target.with_name(f"{target.stem}-{count}.bin")
        if isinstance(record, Path):
            record.rename(kept)
        else:
            make_private_file(kept).write_bytes(line)
        writer.write(_large_line(kept) + b"\n")
    return count


def _write_lines(stream: Iterator[Piece], writer: BinaryIO, target: Path) -> int:
    count = 0
    large = itertools.count(1)
    for piece in stream:
        content, last = piece
        while not last and len(content) <= MAX_LINE_BYTES:
            following, last = next(stream, Piece(b"", last=True))
            content += following
        if len(content) > MAX_LINE_BYTES:
            kept = target.with_name(f"{target.stem}-{next(large)}.bin")
            if not _keep_large(stream, Piece(content, last), kept):
                continue
            content = _large_line(kept)
        elif not content.strip(BLANK):
            continue
        else:
            content = _as_line(content)
        writer.write(content + b"\n")
        count += 1
    return count


def _keep_large(stream: Iterator[Piece], first: Piece, kept: Path) -> bool:
    """Keep a line that is too large in a file of its own, unless it is blank and so no line."""
    with make_private_file(kept).open("wb") as file:
        is_blank = copy_line(stream, first, file)
    if is_blank:
        kept.unlink()
    return not is_blank


def _as_line(content: bytes) -> bytes:
    """The line itself if an engine can read it; else its bytes in base64 with the reason."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(content) + SET_ASIDE + Reason.NOT_UTF8.encode()
    # An engine's reader would take a BOM that begins the landed file for no part of the line.
    if SET_ASIDE in content or content.startswith(BYTE_ORDER_MARK):
        return base64.b64encode(content) + SET_ASIDE + Reason.NOT_JSON.encode()
    return content


@dataclass(frozen=True)
class LandingFolder:
    """Files are written in `folder`, of this machine, and end up in the folder `uri`."""

    folder: Path
    uri: str
    storage: Storage

    @classmethod
    def here(cls, folder: Path) -> "LandingFolder":
        """A folder of this machine in which they stay."""
        from healthpipe.storage.local import LocalStorage

        return cls(folder, str(folder), LocalStorage())

    def stat(self, name: str) -> StoredFile | None:
        """What is kept under a name."""
        return self.storage.stat(f"{self.uri}/{name}")

    def keep(self, local: Path) -> str:
        """Put a file of `folder`, with what lies beside it for its large lines, where it ends up.

        Returns its URI.
        """
        if Path(self.uri) == self.folder:
            return str(local)
        for path in (*large_lines(local), local):
            self.storage.deliver(path, f"{self.uri}/{path.name}")
        return f"{self.uri}/{local.name}"
