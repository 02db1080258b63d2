"""Text that is not UTF-8. Trino's strings hold any bytes, DuckDB's do not: here an invalid byte is
a private character of its own, U+10F700 + byte, and a valid one of those stands as its four bytes.
"""

import codecs
import re

BASE = 0x10F700
PRIVATE = f"[{chr(BASE + 0x80)}-{chr(BASE + 0xFF)}]"
_PRIVATE = re.compile(PRIVATE)


def text_of(content: bytes) -> str:
    """A text that stands for the bytes; for valid UTF-8 (nearly always) the text itself."""
    text = content.decode("utf-8", "private-octets")
    if _PRIVATE.search(text):
        # Each valid private character was found among invalid bytes or alone: tell them apart.
        parts = re.split(rb"(\xf4\x8f[\x9e\x9f][\x80-\xbf])", content)
        return "".join(
            _octets(part) if index % 2 else part.decode("utf-8", "private-octets")
            for index, part in enumerate(parts)
        )
    return text


def bytes_of(text: str) -> bytes:
    """The bytes that a text stands for."""
    if not _PRIVATE.search(text):
        return text.encode()
    pieces = re.split(f"({PRIVATE}+)", text)
    return b"".join(
        bytes(ord(c) - BASE for c in piece) if index % 2 else piece.encode()
        for index, piece in enumerate(pieces)
    )


def is_private(text: str) -> bool:
    """Whether a text stands for something else."""
    return _PRIVATE.search(text) is not None


def _octets(content: bytes) -> str:
    return "".join(chr(BASE + byte) for byte in content)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _octets(error.object[error.start : error.end]), error.end


codecs.register_error("private-octets", _replaced)
