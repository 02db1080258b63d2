"""Land files that an engine cannot read in place: rewrite them as newline-delimited lines.

A line that no engine could read is landed as `base64 of its bytes, U+0001, reason`; one of more
than 8 MB in a file of its own, as `name of that file, U+0001, too_large`. A file that breaks off
becomes one such line.
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
    Content,
    Piece,
    copy_line,
    pieces,
)
from healthpipe.ingest.formats import Shape, may_be_container, records_in
from healthpipe.ingest.json_splitter import InvalidJson, JsonSplitter, TruncatedJson
from healthpipe.ingest.packing import FileRefused
from healthpipe.storage.base import Storage, StoredFile
from healthpipe.storage.scratch import make_private_file

SET_ASIDE = b"\x01"


def land(content: Content, target: Path) -> int:
    """Rewrite the lines of a file to the local file `target`; returns their number.

    Lines of more than 8 MB are written to files beside it. Raises `FileRefused`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with content.decompressed() as reader, target.open("wb") as writer:
        return _write_lines(pieces(reader), writer, target)


def is_container(content: Content) -> bool:
    """Whether a file may be a container, by its first lines. Raises `FileRefused`."""
    with content.decompressed() as reader:
        return may_be_container(reader)


def land_container(content: Content, target: Path) -> tuple[Shape, int] | None:
    """Rewrite a container to the local file `target`, with a record on each line.

    Returns its shape and the number of its records; None if it is no container. One that breaks
    off is rejected whole, and none of its records is used. Raises `FileRefused`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    spill = target.with_suffix(".spill")
    try:
        with contextlib.ExitStack() as stack:

            def open_splitter() -> JsonSplitter:
                return JsonSplitter(stack.enter_context(content.decompressed()), spill)

            shape, records = records_in(open_splitter)
            with target.open("wb") as writer:
                count = _write_records(records, writer, target)
    except TruncatedJson as error:
        raise FileRefused(Reason.FILE_NOT_JSON) from error
    except InvalidJson:
        _delete_large_line_files(target)
        target.unlink(missing_ok=True)
        return None
    finally:
        spill.unlink(missing_ok=True)
    return (Shape.OBJECT if shape is Shape.OBJECTS and count == 1 else shape), count


def land_rejected(target: Path, reason: Reason) -> None:
    """Write to `target` the one line that stands for a whole file that is rejected."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _delete_large_line_files(target)
    target.write_bytes(SET_ASIDE + reason.encode() + b"\n")


def large_line_files(target: Path) -> list[Path]:
    """The files beside a landed file that hold its lines of more than 8 MB."""
    return sorted(target.parent.glob(f"{target.stem}-*.bin"))


def _delete_large_line_files(target: Path) -> None:
    for path in large_line_files(target):
        path.unlink()


def _large_line_reference(kept: Path) -> bytes:
    """The line that refers to the file of a large line."""
    return f"landed/{kept.name}".encode() + SET_ASIDE + Reason.TOO_LARGE.encode()


def _write_records(records: Iterator[str | Path], writer: BinaryIO, target: Path) -> int:
    """Write records on a line each; returns their number. A path is the file of a large one."""
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
        writer.write(_large_line_reference(kept) + b"\n")
    return count


def _write_lines(stream: Iterator[Piece], writer: BinaryIO, target: Path) -> int:
    """Write the lines of a stream that are not blank; returns their number."""
    count = 0
    large = itertools.count(1)
    for piece in stream:
        content, last = piece
        while not last and len(content) <= MAX_LINE_BYTES:
            following, last = next(stream, Piece(b"", last=True))
            content += following
        if len(content) > MAX_LINE_BYTES:
            kept = target.with_name(f"{target.stem}-{next(large)}.bin")
            if not _write_large_line(stream, Piece(content, last), kept):
                continue
            content = _large_line_reference(kept)
        elif not content.strip(BLANK):
            continue
        else:
            content = _landed_line(content)
        writer.write(content + b"\n")
        count += 1
    return count


def _write_large_line(stream: Iterator[Piece], first: Piece, kept: Path) -> bool:
    """Write a large line to a file of its own; returns False, without a file, if it is blank."""
    with make_private_file(kept).open("wb") as file:
        is_blank = copy_line(stream, first, file)
    if is_blank:
        kept.unlink()
    return not is_blank


def _landed_line(content: bytes) -> bytes:
    """A line as it is landed: itself if an engine can read it, else base64 with the reason."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(content) + SET_ASIDE + Reason.NOT_UTF8.encode()
    if SET_ASIDE in content:
        return base64.b64encode(content) + SET_ASIDE + Reason.NOT_JSON.encode()
    return content


@dataclass(frozen=True)
class LandingFolder:
    """Where landed files are kept: written to the local `folder`, then moved to the folder `uri`.

    Standard input and pipes, which can be read once only, are kept there, too.
    """

    folder: Path
    uri: str
    storage: Storage

    @classmethod
    def local(cls, folder: Path) -> "LandingFolder":
        """A local folder in which the files stay."""
        from healthpipe.storage.local import LocalStorage

        return cls(folder, str(folder), LocalStorage())

    def stat(self, name: str) -> StoredFile | None:
        """The file that is kept under a name; None if there is none."""
        return self.storage.stat(f"{self.uri}/{name}")

    def deliver(self, local: Path) -> str:
        """Move a file of `folder`, with the files of its large lines, to `uri`; returns its URI."""
        if Path(self.uri) == self.folder:
            return str(local)
        for path in (*large_line_files(local), local):
            self.storage.deliver(path, f"{self.uri}/{path.name}")
        return f"{self.uri}/{local.name}"
