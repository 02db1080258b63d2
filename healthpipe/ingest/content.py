"""The bytes of a file as text, whatever it is packed in, and lines, which are never held whole.

Lines end at LF, CR LF or CR. Record separators (RFC 7464) and byte order marks at the start of a
line belong to no line; where a file has separators and no line ends, separators end lines, too.
"""

import codecs
import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.contract import Reason
from healthpipe.ingest.packing import (
    CHUNK_BYTES,
    DEFAULT_LIMITS,
    ZIP_MAGICS,
    Codec,
    CountedReader,
    FileRefused,
    Limits,
    Reader,
    Share,
    Unpacker,
    codec_of,
)

BLANK = b" \t"
RECORD_SEPARATOR, BYTE_ORDER_MARK = b"\x1e", codecs.BOM_UTF8
_MARKS = b"(?:\x1e|\xef\xbb\xbf)+"
_MARKS_AT_START = re.compile(_MARKS)
_MARKS_OF_LINES = re.compile(b"(?<=[\r\n])" + _MARKS)


class Piece(NamedTuple):
    """Part of a line, without the line's ending; `last` marks the part that ends it."""

    content: bytes
    last: bool


def pieces(reader: Reader) -> Iterator[Piece]:
    """Cut a stream into the pieces of its lines, none much larger than `CHUNK_BYTES`."""
    while chunk := reader.read(CHUNK_BYTES):
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


def copy_line(stream: Iterator[Piece], first: Piece, writer: BinaryIO) -> bool:
    """Write a line to `writer` from its piece `first` on; returns whether that is all blank."""
    piece, is_blank = first, not first.content.strip(BLANK)
    writer.write(piece.content)
    while not piece.last and (following := next(stream, None)):
        piece = following
        writer.write(piece.content)
        is_blank = is_blank and not piece.content.strip(BLANK)
    return is_blank


# On S3 opening a file costs more than reading this much: a smaller file is opened once.
HEAD_BYTES = 1 << 16
# Bytes that nothing but text in JSON begins with.
_JSON_TEXT = re.compile(rb"(?:[ \t\r\n\x1e]|\xef\xbb\xbf)*[{\[]")
# The beginning of a sequence (RFC 7464), and a value in it that no line end follows.
_SEQUENCE = re.compile(rb"\x1e+[ \t]*[{\[]")
_UNENDED = re.compile(rb"[}\]][ \t]*\x1e")
# The bytes in which a tar, UTF-16 and UTF-32 have zeros, and text in UTF-8 has none.
_FIRST_BYTES = 512
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def begins_as_json(head: bytes) -> bool:
    """Whether a head is that of JSON in UTF-8, so that the file can be nothing else."""
    return bool(_JSON_TEXT.match(head)) and b"\0" not in head[:_FIRST_BYTES]


@dataclass(frozen=True)
class Content:
    """The bytes of a file; `open` opens it at its beginning, as often as it is called.

    `layers` is the number of packings that were taken off already: one for a member of an archive,
    which has a `share` of what that may unpack to.
    Everything raises an `OSError` where the file cannot be opened, and `FileRefused` where its
    packings are damaged or exceed the limits.
    """

    open: Callable[[], AbstractContextManager[BinaryIO]]
    limits: Limits = DEFAULT_LIMITS
    layers: int = 0
    share: Share | None = None

    @classmethod
    def of(cls, path: str | Path, limits: Limits = DEFAULT_LIMITS) -> "Content":
        """The content of a local file."""
        return cls(lambda: Path(path).open("rb"), limits)

    @cached_property
    def packing(self) -> tuple[Codec, ...]:
        """What the file is packed in, from the outermost, by its first bytes."""
        found: tuple[Codec, ...] = ()
        head = self._stored_head
        while not begins_as_json(head) and (codec := codec_of(head)):
            found = (*found, codec)
            self.limits.require_layers(self.layers + len(found))
            head = self._head(found)
        return found

    @cached_property
    def head(self) -> bytes:
        """The first `HEAD_BYTES` bytes, unpacked: of a small file all."""
        return self._head(self.packing) if self.packing else self._stored_head

    @cached_property
    def text_head(self) -> bytes:
        """The same as text in UTF-8."""
        if begins_as_json(self.head):
            return self.head
        with self.decompressed() as reader:
            return read_fully(reader, HEAD_BYTES)

    @property
    def is_archive(self) -> bool:
        """Whether the content, unpacked, is a ZIP."""
        return self.head.startswith(ZIP_MAGICS)

    @property
    def is_utf_8(self) -> bool:
        """Whether the content, unpacked, has to be read as UTF-8: it is not marked as UTF-16."""
        return self.head[:2] not in _UTF_16

    @property
    def has_separators_alone(self) -> bool:
        """Whether the content is a sequence of values in which nothing but a separator ends one."""
        return bool(_SEQUENCE.match(self.head) and _UNENDED.search(self.head))

    @contextmanager
    def unpacked(self) -> Iterator[Reader]:
        """Open the content for reading its bytes, unpacked."""
        with self._opened() as file:
            yield self._unpacker(file, self.packing)

    @contextmanager
    def decompressed(self) -> Iterator[Reader]:
        """Open the content for reading its text, unpacked and in UTF-8.

        Marks at the start of a line are left out.
        """
        with self.unpacked() as reader:
            encoding = _UTF_16.get(self.head[:2])
            text = Utf8Reader(reader, encoding) if encoding else reader
            yield UnmarkedLines(SeparatedLines(text) if self.has_separators_alone else text)

    def require_whole(self) -> None:
        """Read content to its end, if it is packed. Raises `FileRefused`."""
        with self.unpacked() as reader:
            while self.packing and reader.read(CHUNK_BYTES):
                raise_if_cancelled()

    @cached_property
    def _stored_head(self) -> bytes:
        """The first `HEAD_BYTES` bytes as they are stored."""
        with self.open() as file:
            return read_fully(file, HEAD_BYTES)

    def _head(self, packing: tuple[Codec, ...]) -> bytes:
        """The first `HEAD_BYTES` bytes inside of these packings, as far as they can be unpacked."""
        head = b""
        with self._opened() as file, suppress(FileRefused):  # whoever reads on is told of it
            reader = self._unpacker(file, packing)
            while len(head) < HEAD_BYTES and (chunk := reader.read(HEAD_BYTES)):
                head += chunk
        return head[:HEAD_BYTES]

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The bytes from their beginning; those of a small file from memory."""
        if len(self._stored_head) < HEAD_BYTES:
            yield io.BytesIO(self._stored_head)
            return
        with self.open() as file:
            yield file

    def _unpacker(self, file: BinaryIO, packing: tuple[Codec, ...]) -> Reader:
        if not packing:
            return file
        counted = CountedReader(file)
        reader: Reader = counted
        for codec in packing:
            reader = Unpacker(reader, codec, counted, self.limits, self.share)
        return reader


def read_fully(reader: Reader, size: int) -> bytes:
    """Read the first `size` bytes, fewer only where there are no more."""
    content = b""
    while len(content) < size and (chunk := reader.read(size - len(content))):
        content += chunk
    return content[:size]


class Utf8Reader:
    """Text in another encoding as UTF-8. Reading raises `FileRefused` if half a character ends it.

    A surrogate that has no pair becomes bytes that are no UTF-8, lest its line be taken for text.
    """

    def __init__(self, reader: Reader, encoding: str) -> None:
        self._reader = reader
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def read(self, size: int) -> bytes:
        """Read about `size` bytes."""
        while chunk := self._reader.read(size):
            if text := self._decode(chunk):
                return text
        return self._decode(b"", is_last=True)

    def _decode(self, chunk: bytes, *, is_last: bool = False) -> bytes:
        try:
            return self._decoder.decode(chunk, is_last).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise FileRefused(Reason.FILE_TRUNCATED) from error


class SeparatedLines:
    """Text with a line end for each record separator."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, size: int) -> bytes:
        """Read about `size` bytes."""
        return self._reader.read(size).replace(RECORD_SEPARATOR, b"\n")


class UnmarkedLines:
    """Text without the marks at the start of its lines."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._is_at_start = True  # of a line, but for marks

    def read(self, size: int) -> bytes:
        """Read about `size` bytes."""
        while chunk := self._reader.read(size):
            # The beginning of a mark at the end of a chunk.
            while chunk.endswith((BYTE_ORDER_MARK[:1], BYTE_ORDER_MARK[:2])) and (
                more := self._reader.read(size)
            ):
                chunk += more
            if self._is_at_start and (marks := _MARKS_AT_START.match(chunk)):
                chunk = chunk[marks.end() :]
            if RECORD_SEPARATOR in chunk or BYTE_ORDER_MARK in chunk:
                chunk = _MARKS_OF_LINES.sub(b"", chunk)
            if chunk:
                self._is_at_start = chunk.endswith((b"\n", b"\r"))
                return chunk
        return b""
