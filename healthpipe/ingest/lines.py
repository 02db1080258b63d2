"""A stream of bytes cut into lines: at LF, CR LF or CR, without ever holding a long line."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

from healthpipe.cancellation import raise_if_stopping

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
        raise_if_stopping()
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
