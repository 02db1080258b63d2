"""Gzip files whose bytes depend on nothing but their content."""

import struct
import zlib

_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
_BLOCK_BYTES = 0xFFFF


def stored_gzip(content: bytes) -> bytes:
    """The content in a gzip file, stored as it is.

    Compressed bytes would differ between versions of zlib; stored ones cannot.
    """
    starts = range(0, max(len(content), 1), _BLOCK_BYTES)
    blocks = [_block(content, start) for start in starts]
    trailer = struct.pack("<II", zlib.crc32(content), len(content) % (1 << 32))
    return _HEADER + b"".join(blocks) + trailer


def _block(content: bytes, start: int) -> bytes:
    stored = content[start : start + _BLOCK_BYTES]
    is_last = start + _BLOCK_BYTES >= len(content)
    return struct.pack("<BHH", is_last, len(stored), len(stored) ^ 0xFFFF) + stored
