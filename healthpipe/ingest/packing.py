"""Unpack gzip, zstd, bzip2 and xz: all members of a stream, to its end, within limits.

A stream is packed when its first bytes say so, whatever its name. One that breaks off, is damaged
or unpacks to too much is refused whole.
"""

import sys
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Protocol

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.contract import Reason
from healthpipe.errors import UsageError

CHUNK_BYTES = 1 << 20
# Below so many unpacked bytes no ratio is too high: a small file of equal records packs well, too.
RATIO_FROM_BYTES = 100_000_000
# The most memory for the dictionary of an xz stream; `xz -9` needs 64 MB.
XZ_MEMORY_BYTES = 1 << 28
XZ_DETAIL = "needs more than 256 MB to be unpacked; have it packed with `xz -9` or less"
# Of zstd, which cannot be told how much to unpack: four bytes may come to 128 KB.
ZSTD_STEP_BYTES = 1 << 10


class FileRefused(Exception):
    """A file is rejected whole, for this reason; `detail` says more where there is more to say."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Limits:
    """How much a file may unpack to, in bytes.

    `ratio` is that of unpacked to packed bytes, `layers` the most packings around each other,
    `members` the most entries of an archive.
    """

    bytes: int = 10_000_000_000
    ratio: int = 1_000
    layers: int = 2
    members: int = 10_000

    @classmethod
    def choose(cls, settings: Iterable[str]) -> "Limits":
        """The default limits with others, each `NAME=NUMBER`. Raises `UsageError`."""
        names = [field.name for field in fields(cls)]
        chosen: dict[str, int] = {}
        for setting in settings:
            name, _, number = setting.partition("=")
            if name not in names or not number.isdecimal() or int(number) == 0:
                raise UsageError(
                    f"--unpack-limit {setting!r} is no limit",
                    f"write NAME=NUMBER, where NAME is one of {', '.join(names)}",
                )
            chosen[name] = int(number)
        return cls(**chosen)

    def require_within(self, unpacked: int, packed: int, in_all: int = 0) -> None:
        """Raise `FileRefused` if so many bytes are too many to unpack.

        `in_all` are those of all files of an archive.
        """
        if max(unpacked, in_all) > self.bytes:
            raise self.exceeded("bytes", f"unpacks to more than {self.bytes:,} bytes")
        if unpacked > RATIO_FROM_BYTES and unpacked > packed * self.ratio:
            raise self.exceeded("ratio", f"unpacks to more than {self.ratio:,} times its size")

    def require_layers(self, layers: int) -> None:
        """Raise `FileRefused` if so many packings around each other are too many."""
        if layers > self.layers:
            raise self.exceeded("layers", f"is packed in more than {self.layers} layers")

    def require_members(self, members: int) -> None:
        """Raise `FileRefused` if so many entries of an archive are too many."""
        if members > self.members:
            raise self.exceeded("members", f"has more than {self.members:,} entries")

    @staticmethod
    def exceeded(limit: str, what: str) -> FileRefused:
        """The refusal of a file that exceeds a limit, with how to raise that."""
        advice = f"`--unpack-limit {limit}=N`, or {limit} in [unpack], allows more"
        return FileRefused(Reason.FILE_TOO_LARGE_UNPACKED, f"{what}; {advice}")


DEFAULT_LIMITS = Limits()
NO_LIMITS = Limits(sys.maxsize, sys.maxsize, sys.maxsize, sys.maxsize)


class Reader(Protocol):
    """Something to read bytes from: a file, what is in a packed one, standard input."""

    def read(self, size: int, /) -> bytes:
        """Read at most about `size` bytes; none at the end."""


class Codec(StrEnum):
    """A way of packing."""

    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"


_MAGICS = {
    b"\x1f\x8b": Codec.GZIP,
    b"\x28\xb5\x2f\xfd": Codec.ZSTD,
    b"\xfd7zXZ\x00": Codec.XZ,
    **{b"BZh" + level: Codec.BZIP2 for level in (b"%d" % n for n in range(1, 10))},
}
# A zstd file may begin with frames that hold no data, as those of pzstd do.
_SKIPPABLE_FRAMES = tuple(bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_LONGEST_MAGIC = max(map(len, _MAGICS))
# Padding that may stand between members and after them.
_ZEROS = {Codec.GZIP: b"\0", Codec.XZ: b"\0"}


def codec_of(head: bytes) -> Codec | None:
    """The codec of a stream that begins with these bytes; None if it is not packed.

    Raises `FileRefused` where nothing is there but the beginning of a magic number.
    """
    for magic, codec in _MAGICS.items():
        if head.startswith(magic):
            return codec
    if head.startswith(_SKIPPABLE_FRAMES):
        return Codec.ZSTD
    if 0 < len(head) < _LONGEST_MAGIC and any(m.startswith(head) for m in (*_MAGICS, *ZIP_MAGICS)):
        raise FileRefused(Reason.FILE_TRUNCATED)
    return None


class CountedReader:
    """Counts the bytes that are read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.count = 0

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes."""
        chunk = self._reader.read(size)
        self.count += len(chunk)
        return chunk


@dataclass
class Total:
    """How many bytes the files of an archive unpack to together, as far as is known."""

    bytes: int = 0


class Share:
    """The bytes that one member of an archive adds to the total: the greater of its size in the
    archive and its unpacked size.
    """

    def __init__(self, total: Total, size: int) -> None:
        self._total = total
        self._size = 0
        self.total_with(size)

    def total_with(self, unpacked: int) -> int:
        """The total, now that so many bytes of this file are known; it may be read repeatedly."""
        self._total.bytes += max(0, unpacked - self._size)
        self._size = max(self._size, unpacked)
        return self._total.bytes


class Unpacker:
    """The unpacked bytes of a stream. `packed` counts the bytes of the file that it is from, which
    has a `share` of what an archive may unpack to.

    Reading raises `FileRefused` where the stream breaks off, is damaged or exceeds the limits.
    """

    def __init__(
        self,
        reader: Reader,
        codec: Codec,
        packed: CountedReader,
        limits: Limits,
        share: Share | None = None,
    ) -> None:
        self._reader = reader
        self._codec = codec
        self._packed = packed
        self._limits = limits
        self._share = share
        self._member = _Member(codec)
        self._waiting = b""  # read, and not unpacked yet
        self._given = 0

    def read(self, size: int) -> bytes:
        """Read at most about `size` bytes."""
        while True:
            raise_if_cancelled()
            if self._member.is_finished and not self._begin_next_member():
                return b""
            is_waiting = self._waiting or not self._member.needs_input
            packed = self._waiting if is_waiting else self._reader.read(CHUNK_BYTES)
            chunk, self._waiting = self._member.unpack(packed, size)
            if chunk:
                self._given += len(chunk)
                in_all = self._share.total_with(self._given) if self._share else 0
                self._limits.require_within(self._given, self._packed.count, in_all)
                return chunk
            if not packed and not is_waiting and not self._member.is_finished:
                raise FileRefused(Reason.FILE_TRUNCATED)

    def _begin_next_member(self) -> bool:
        """Go on with what follows a member; returns False at the end of the stream."""
        padding = _ZEROS.get(self._codec)
        while True:
            self._waiting = self._waiting or self._reader.read(CHUNK_BYTES)
            if not self._waiting:
                return False
            if padding:
                self._waiting = self._waiting.lstrip(padding)
            if self._waiting:
                self._member = _Member(self._codec)
                return True


class _Member:
    """A member of a packed stream that is being unpacked."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._decompressor, self._errors = _OPENERS[codec]()

    @property
    def is_finished(self) -> bool:
        """Whether its end was read, with the right checksum."""
        return bool(self._decompressor.eof)

    @property
    def needs_input(self) -> bool:
        """Whether nothing comes out without more bytes."""
        return bool(getattr(self._decompressor, "needs_input", True))

    def unpack(self, packed: bytes, size: int) -> tuple[bytes, bytes]:
        """Unpack about `size` bytes; returns them, and what is to be given the next time."""
        rest = b""
        size_limit: tuple[int, ...] = (size,)
        if self._codec is Codec.ZSTD:
            packed, rest, size_limit = packed[:ZSTD_STEP_BYTES], packed[ZSTD_STEP_BYTES:], ()
        try:
            chunk = self._decompressor.decompress(packed, *size_limit)
        except self._errors as error:
            if "memory" in str(error).lower():
                raise FileRefused(Reason.FILE_TOO_LARGE_UNPACKED, XZ_DETAIL) from error
            raise FileRefused(Reason.FILE_TRUNCATED) from error
        unread = getattr(self._decompressor, "unconsumed_tail", b"")
        return bytes(chunk), (unread or self._decompressor.unused_data) + rest


# A decompressor, and the errors by which it tells of damage.
_Opened = tuple[Any, tuple[type[Exception], ...]]


def _open_gzip() -> _Opened:
    return zlib.decompressobj(zlib.MAX_WBITS | 16), (zlib.error,)


def _open_zstd() -> _Opened:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj(), (zstandard.ZstdError,)


def _open_bzip2() -> _Opened:
    import bz2

    return bz2.BZ2Decompressor(), (OSError, ValueError)


def _open_xz() -> _Opened:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES), (lzma.LZMAError,)


_OPENERS: dict[Codec, Callable[[], _Opened]] = {
    Codec.GZIP: _open_gzip,
    Codec.ZSTD: _open_zstd,
    Codec.BZIP2: _open_bzip2,
    Codec.XZ: _open_xz,
}
