"""The bytes of a file, plain or gzip, and lines, which are never held whole.

Lines end at LF, CR LF or CR.
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
    """Something to read bytes from: a file, a gzip file, standard input."""

    def read(self, size: int, /) -> bytes:
        """Read at most `size` bytes; none at the end."""


class Piece(NamedTuple):
    """Part of a line, without the line's ending; `last` marks the part that ends it."""

    content: bytes
    last: bool


def pieces(reader: Reader) -> Iterator[Piece]:
    """Cut a stream into the pieces of its lines, none much larger than `CHUNK_BYTES`.

    A byte order mark at the start of the stream belongs to no line.
    """
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
    """Write a line to `writer` from its piece `first` on; returns whether that is all blank."""
    piece, is_blank = first, not first.content.strip(BLANK)
    writer.write(piece.content)
    while not piece.last and (following := next(stream, None)):
        piece = following
        writer.write(piece.content)
        is_blank = is_blank and not piece.content.strip(BLANK)
    return is_blank


GZIP_MAGIC = b"\x1f\x8b"
# On S3 opening a file costs more than reading this much: a smaller file is opened once.
HEAD_BYTES = 1 << 16
DAMAGED_GZIP = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True)
class Content:
    """The bytes of a file; `open` opens it at its beginning, as often as it is called.

    Every method raises an `OSError` where the file cannot be opened.
    """

    open: Callable[[], AbstractContextManager[BinaryIO]]

    @classmethod
    def of(cls, path: str | Path) -> "Content":
        """The content of a local file."""
        return cls(lambda: Path(path).open("rb"))

    @cached_property
    def is_gzip(self) -> bool:
        """Whether the content is gzip, by its first bytes."""
        return self._head.startswith(GZIP_MAGIC)

    @cached_property
    def _head(self) -> bytes:
        """The first `HEAD_BYTES` bytes: of a small file all."""
        with self.open() as file:
            return file.read(HEAD_BYTES)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The bytes from their beginning; those of a small file from memory."""
        if len(self._head) < HEAD_BYTES:
            yield io.BytesIO(self._head)
            return
        with self.open() as file:
            yield file

    @contextmanager
    def decompressed(self) -> Iterator[Reader]:
        """Open the content for reading, decompressed if it is gzip.

        Reading raises one of `DAMAGED_GZIP` where it is damaged.
        """
        with self._opened() as file:
            if self.is_gzip:
                with gzip.open(file) as unpacked:
                    yield unpacked
            else:
                yield file

    def starts_with(self, mark: bytes) -> bool:
        """Whether the content, decompressed if it is gzip, starts with these bytes."""
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
