"""Files that are rejected whole, and files that hold nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from healthpipe.contract import Reason
from healthpipe.generate.packing import stored_gzip
from healthpipe.generate.shapes import ARRAY, LINES, PRETTY_ARRAY, PRETTY_OBJECTS, WRAPPER, Writer

_TRAILER_BYTES = 8


@dataclass(frozen=True)
class BrokenFile:
    """A kind of file that is rejected whole; one of it is enough."""

    name: str
    suffix: str
    reason: Reason
    write: Writer
    is_rare: ClassVar[bool] = True


def _cut_in_half(write: Writer) -> Writer:
    def cut(records: Sequence[bytes]) -> bytes:
        content = stored_gzip(write(records))
        return content[: len(content) // 2]

    return cut


def _without_trailer(records: Sequence[bytes]) -> bytes:
    return stored_gzip(LINES.write(records))[:-_TRAILER_BYTES]


def _with_wrong_checksum(records: Sequence[bytes]) -> bytes:
    content = bytearray(stored_gzip(LINES.write(records)))
    content[-_TRAILER_BYTES] ^= 1
    return bytes(content)


def _unclosed(write: Writer) -> Writer:
    return lambda records: write(records).rstrip(b"]}\n")


BROKEN_FILES = (
    BrokenFile("gzip-cut", ".jsonl.gz", Reason.FILE_TRUNCATED, _cut_in_half(LINES.write)),
    BrokenFile("gzip-cut-array", ".json.gz", Reason.FILE_TRUNCATED, _cut_in_half(ARRAY.write)),
    BrokenFile("gzip-without-end", ".ndjson.gz", Reason.FILE_TRUNCATED, _without_trailer),
    BrokenFile("gzip-checksum", ".txt.gz", Reason.FILE_TRUNCATED, _with_wrong_checksum),
    BrokenFile("array-unclosed", ".json", Reason.FILE_NOT_JSON, _unclosed(ARRAY.write)),
    BrokenFile(
        "array-pretty-unclosed", ".json", Reason.FILE_NOT_JSON, _unclosed(PRETTY_ARRAY.write)
    ),
    BrokenFile(
        "objects-pretty-unclosed", ".json", Reason.FILE_NOT_JSON, _unclosed(PRETTY_OBJECTS.write)
    ),
    BrokenFile("wrapper-unclosed", ".json", Reason.FILE_NOT_JSON, _unclosed(WRAPPER.write)),
)

# By name, with the suffix: files without any line.
EMPTY_FILES = {
    "empty": (".json", b""),
    "empty-gzip": (".jsonl.gz", stored_gzip(b"")),
    "only-blank-lines": (".ndjson", b"\n \t\r\n\r\n"),
    "only-a-mark": (".txt", b"\xef\xbb\xbf"),
}
