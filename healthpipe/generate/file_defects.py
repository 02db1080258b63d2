"""Files that are rejected whole, and files that hold nothing.

Records that lose against another one of their facility: every way to be superseded.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from healthpipe.contract import Reason
from healthpipe.generate.drafts import Draft, Line
from healthpipe.generate.shapes import (
    ARRAY,
    LINES,
    PRETTY_ARRAY,
    PRETTY_OBJECTS,
    WRAPPER,
    Writer,
    stored_gzip,
)

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


_AGE = datetime.timedelta(days=30)


@dataclass(frozen=True)
class Rivalry:
    """A kind of superseded record: the loser, and the record that wins unless a clean one does.

    `needs_lines` where both have to be lines of one newline-delimited file.
    """

    name: str
    lines: Callable[[Draft], list[Line]]
    needs_lines: bool = False
    is_over_clean: bool = False
    is_rare: ClassVar[bool] = False


def _loser(draft: Draft) -> bytes:
    """The draft with other figures than the winner's: a wrong choice shows in the results."""
    draft.record["employee_count"] += 100_000
    draft.record["location"]["state"] = "GU"
    return draft.content


def _older(draft: Draft) -> list[Line]:
    winner = Line(draft.content, facility=draft.facility)
    day = datetime.date.fromisoformat(draft.record["snapshot_date"])
    draft.record["snapshot_date"] = (day - _AGE).isoformat()
    return [winner, Line(_loser(draft))]


def _lesser_line(draft: Draft) -> list[Line]:
    winner = Line(draft.content, facility=draft.facility)
    return [winner, Line(b" " + _loser(draft))]


def _repeated_line(draft: Draft) -> list[Line]:
    return [Line(draft.content, facility=draft.facility), Line(draft.content)]


def _lesser_source(draft: Draft) -> list[Line]:
    return [Line(_loser(draft))]


RIVALRIES = (
    Rivalry("older_snapshot", _older),
    Rivalry("lesser_source", _lesser_source, is_over_clean=True),
    Rivalry("lesser_line", _lesser_line, needs_lines=True),
    Rivalry("repeated_line", _repeated_line, needs_lines=True),
)
