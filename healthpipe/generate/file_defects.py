"""The kinds of files that are rejected whole or empty, and of records that are superseded."""

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
    """A kind of file that is rejected whole. One of it is enough."""

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

# Files without any line: the suffix and the content by name.
EMPTY_FILES = {
    "empty": (".json", b""),
    "empty-gzip": (".jsonl.gz", stored_gzip(b"")),
    "only-blank-lines": (".ndjson", b"\n \t\r\n\r\n"),
    "only-a-mark": (".txt", b"\xef\xbb\xbf"),
}


_AGE = datetime.timedelta(days=30)


@dataclass(frozen=True)
class SupersededRecord:
    """A kind of superseded record. `create_lines` gives it, after the record that supersedes it.

    With `is_over_clean` a clean record supersedes it instead. `needs_lines` is set where both have
    to be lines of one newline-delimited file.
    """

    name: str
    create_lines: Callable[[Draft], list[Line]]
    needs_lines: bool = False
    is_over_clean: bool = False
    is_rare: ClassVar[bool] = False


def _superseded_content(draft: Draft) -> bytes:
    """Change a draft's figures, so that choosing it by mistake shows in the results."""
    draft.record["employee_count"] += 100_000
    draft.record["location"]["state"] = "GU"
    return draft.content


def _older(draft: Draft) -> list[Line]:
    winner = Line(draft.content, facility=draft.facility)
    day = datetime.date.fromisoformat(draft.record["snapshot_date"])
    draft.record["snapshot_date"] = (day - _AGE).isoformat()
    return [winner, Line(_superseded_content(draft))]


def _lesser_line(draft: Draft) -> list[Line]:
    winner = Line(draft.content, facility=draft.facility)
    return [winner, Line(b" " + _superseded_content(draft))]


def _repeated_line(draft: Draft) -> list[Line]:
    return [Line(draft.content, facility=draft.facility), Line(draft.content)]


def _lesser_source(draft: Draft) -> list[Line]:
    return [Line(_superseded_content(draft))]


SUPERSEDED_RECORDS = (
    SupersededRecord("older_snapshot", _older),
    SupersededRecord("lesser_source", _lesser_source, is_over_clean=True),
    SupersededRecord("lesser_line", _lesser_line, needs_lines=True),
    SupersededRecord("repeated_line", _repeated_line, needs_lines=True),
)
