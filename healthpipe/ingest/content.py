"""A stream of bytes cut into lines: at LF, CR LF or CR, without ever holding a long line.

The bytes of a file, plain or gzip.
"""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from healthpipe.cancellation import raise_if_cancelled

CHUNK_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLANK = b" \t"


class Reader(Protocol):
    """What is read from: a file, a gzip file, standard input."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


class Piece(NamedTuple):
    """Part of a line, without its ending; `last` on the part that ends it."""

    content: bytes
    last: bool


def pieces(reader: Reader) -> Iterator[Piece]:
    """The lines of a stream in pieces of at most a chunk; a BOM at its start belongs to none."""
    chunk = reader.read(CHUNK_BYTES)
    while len(chunk) < len(BYTE_ORDER_MARK) and (more := reader.read(CHUNK_BYTES)):
        chunk += more
    chunk = chunk.removeprefix(BYTE_ORDER_MARK) or reader.read(CHUNK_BYTES)
    while chunk:
        # A CR at the end of a chunk may be the first half of a CR LF.
        while chunk.endswith(b"\r") and (more := reader.read(CHUNK_BYTES)):
            chunk += more
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *ended, open_part = chunk.split(b"\n")
        for content in ended:
            yield Piece(content, last=True)
        if open_part:
            yield Piece(open_part, last=False)
        raise_if_cancelled()
        chunk = reader.read(CHUNK_BYTES)


def copy_line(stream: Iterator[Piece], first: Piece, writer: BinaryIO) -> bool:
    """Write the rest of a line to `writer` piece by piece; returns whether all of it is blank."""
    piece, is_blank = first, not first.content.strip(BLANK)
    writer.write(piece.content)
    while not piece.last and (following := next(stream, None)):
        piece = following
        writer.write(piece.content)
        is_blank = is_blank and not piece.content.strip(BLANK)
    return is_blank


GZIP_MAGIC = b"\x1f\x8b"
# On S3 opening a file costs more than these bytes: a file that is no larger is opened once.
HEAD_BYTES = 1 << 16
DAMAGED_GZIP = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True)
class Content:
    """The bytes of a file, which `open` gives from their beginning as often as it is called.

    All raise OSError where it cannot be opened.
    """

    open: Callable[[], AbstractContextManager[BinaryIO]]

    @classmethod
    def of(cls, path: str | Path) -> "Content":
        """That of a file of this machine."""
        return cls(lambda: Path(path).open("rb"))

    @cached_property
    def is_gzip(self) -> bool:
        """Whether it is gzip, by its content."""
        return self._head.startswith(GZIP_MAGIC)

    @cached_property
    def _head(self) -> bytes:
        """Its first bytes: of a small file all."""
        with self.open() as file:
            return file.read(HEAD_BYTES)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if len(self._head) < HEAD_BYTES:
            yield io.BytesIO(self._head)
            return
        with self.open() as file:
            yield file

    @contextmanager
    def decompressed(self) -> Iterator[Reader]:
        """What it comes to once it is unpacked, where it is packed."""
        with self._opened() as file:
            if self.is_gzip:
                with gzip.open(file) as unpacked:
                    yield unpacked
            else:
                yield file

    def starts_with(self, mark: bytes) -> bool:
        """Whether these are its first bytes, once it is unpacked."""
        if not self.is_gzip:
            return self._head.startswith(mark)
        with self.decompressed() as reader:
            return reader.read(len(mark)) == mark

    def is_whole(self) -> bool:
        """Whether a gzip file decompresses to its end with the right checksums."""
        try:
            with self.decompressed() as reader:
                while reader.read(CHUNK_BYTES):
                    raise_if_cancelled()
        except DAMAGED_GZIP:
            return False
        return True
