"""The shapes of files: lines, arrays, wrappers and single objects, plain and gzip."""

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
_BLOCK_BYTES = 0xFFFF


def stored_gzip(content: bytes) -> bytes:
    """Create a gzip file with the content stored uncompressed.

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


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Creates a file's bytes from its records, each a line of JSON without its ending.
Writer = Callable[[Sequence[bytes]], bytes]


@dataclass(frozen=True)
class Shape:
    """A shape of files, with the function that writes it; `is_single` if it has one record."""

    name: str
    suffix: str
    write: Writer
    is_single: bool = False


def _gzipped(write: Writer) -> Writer:
    return lambda records: stored_gzip(write(records))


def _with_byte_order_mark(write: Writer) -> Writer:
    return lambda records: _BYTE_ORDER_MARK + write(records)


def _line_writer(*endings: bytes) -> Writer:
    def write(records: Sequence[bytes]) -> bytes:
        return b"".join(
            record + ending for record, ending in zip(records, cycle(endings), strict=False)
        )

    return write


def _lines_and_blank_lines(records: Sequence[bytes]) -> bytes:
    return b"\n \t\n" + b"\r\n\n \n".join(records)


def _array(records: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(records) + b"]"


def _array_of_lines(records: Sequence[bytes]) -> bytes:
    return b"[\n" + b",\n".join(records) + b"\n]\n"


def _objects(records: Sequence[bytes]) -> bytes:
    return b"".join(records)


def _wrapper(records: Sequence[bytes]) -> bytes:
    return b'{"source": "registry", "sample_data": ' + _array(records) + b"}\n"


def _page(records: Sequence[bytes]) -> bytes:
    return b'{"page": 1, "records": ' + _array(records) + b"}"


def _in_pairs(write: Writer, between: bytes) -> Writer:
    """Write two records at a time in a container of their own, one container behind the other."""
    return lambda records: between.join(
        write(records[at : at + 2]) for at in range(0, len(records), 2)
    )


def _array_of_arrays(records: Sequence[bytes]) -> bytes:
    return b"[[], " + _in_pairs(_array, b", ")(records) + b"]"


def _lines_and_arrays(records: Sequence[bytes]) -> bytes:
    """The first record on a line of its own, which makes the file a newline-delimited one."""
    return records[0] + b"\n" + _in_pairs(_array, b"\n")(records[1:]) + b"\n[]\n"


def _pretty(content: bytes) -> bytes:
    return json.dumps(json.loads(content), ensure_ascii=False, indent=2).encode() + b"\n"


def _pretty_objects(records: Sequence[bytes]) -> bytes:
    return b"".join(map(_pretty, records))


def _pretty_array(records: Sequence[bytes]) -> bytes:
    return _pretty(_array(records))


def _pretty_page(records: Sequence[bytes]) -> bytes:
    return _pretty(_page(records))


def _pretty_wrapper(records: Sequence[bytes]) -> bytes:
    return _pretty(_wrapper(records))


LINES = Shape("lines-lf", ".jsonl", _line_writer(b"\n"))
ARRAY = Shape("array-compact", ".json", _array)
PRETTY_ARRAY = Shape("array-pretty", ".json", _pretty_array)
PRETTY_OBJECTS = Shape("objects-pretty", ".json", _pretty_objects)
WRAPPER = Shape("wrapper-compact", ".json", _wrapper)

# Newline-delimited: a line that is no JSON object does not affect the others.
LINE_SHAPES = (
    LINES,
    Shape("lines-lf-gzip", ".jsonl.gz", _gzipped(LINES.write)),
    Shape("lines-crlf", ".ndjson", _line_writer(b"\r\n")),
    Shape("lines-crlf-gzip", ".ndjson.gz", _gzipped(_line_writer(b"\r\n"))),
    Shape("lines-cr", ".txt", _line_writer(b"\r")),
    Shape("lines-mixed-gzip", ".txt.gz", _gzipped(_line_writer(b"\n", b"\r\n", b"\r"))),
    Shape("lines-marked", ".json", _with_byte_order_mark(LINES.write)),
    Shape("lines-blank", ".ndjson", _lines_and_blank_lines),
    Shape("lines-gzip-unnamed", ".jsonl", _gzipped(LINES.write)),
    Shape("lines-plain-misnamed", ".jsonl.gz", LINES.write),
)

# Shapes that can hold valid records only.
RECORD_SHAPES = (
    ARRAY,
    Shape("array-compact-gzip", ".json.gz", _gzipped(_array)),
    Shape("array-lines", ".json", _array_of_lines),
    PRETTY_ARRAY,
    Shape("array-pretty-gzip", ".json.gz", _gzipped(_pretty_array)),
    Shape("array-pretty-marked", ".json", _with_byte_order_mark(_pretty_array)),
    Shape("objects-compact", ".json", _objects),
    Shape("objects-compact-gzip", ".json.gz", _gzipped(_objects)),
    PRETTY_OBJECTS,
    Shape("objects-pretty-gzip", ".json.gz", _gzipped(_pretty_objects)),
    WRAPPER,
    Shape("wrapper-compact-gzip", ".json.gz", _gzipped(_wrapper)),
    Shape("wrapper-pretty", ".json", _pretty_wrapper),
    Shape("wrapper-pretty-gzip", ".json.gz", _gzipped(_pretty_wrapper)),
    Shape("array-of-arrays", ".json", _array_of_arrays),
    Shape("arrays-glued", ".json", _in_pairs(_array, b"")),
    Shape("arrays-lines-gzip", ".jsonl.gz", _gzipped(_in_pairs(_array, b"\n"))),
    Shape("lines-and-arrays", ".jsonl", _lines_and_arrays),
    Shape("lines-and-arrays-gzip", ".jsonl.gz", _gzipped(_lines_and_arrays)),
    Shape("pages-lines", ".jsonl", _in_pairs(_page, b"\n")),
    Shape("pages-pretty", ".json", _in_pairs(_pretty_page, b"")),
    Shape("object-compact", ".json", _objects, is_single=True),
    Shape("object-compact-gzip", ".json.gz", _gzipped(_objects), is_single=True),
    Shape("object-pretty", ".json", _pretty_objects, is_single=True),
    Shape("object-pretty-gzip", ".json.gz", _gzipped(_pretty_objects), is_single=True),
)
