"""The shape of a file by its content, and the records of a file of each shape.

Of newline-delimited files each line is a record, but for lines that are containers themselves.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from healthpipe.contract import MAX_LINE_BYTES
from healthpipe.ingest.content import BLANK, Piece, copy_line, pieces
from healthpipe.ingest.json_splitter import MAX_HELD, InvalidJson, JsonSplitter, reject_constant
from healthpipe.ingest.packing import Reader
from healthpipe.ingest.unpacking import (
    Record,
    holds_several,
    is_container_array,
    is_plain,
    records_of_array,
    records_of_wrapper,
    sequence,
    unpack_line,
    wrapped_key,
)
from healthpipe.storage.scratch import make_private_file


class Shape(StrEnum):
    """How a file holds its records.

    `ARRAY` is also several values of which the first is an array; `OBJECTS` are other values, one
    after another, wrappers among them.
    """

    LINES = "ndjson"
    ARRAY = "array"
    OBJECT = "object"
    OBJECTS = "objects"
    WRAPPER = "wrapper"
    BROKEN = "broken"

    @property
    def has_items(self) -> bool:
        """Whether the file is no newline-delimited one, and is rewritten with a record a line."""
        return self not in (Shape.LINES, Shape.BROKEN)


class FirstLine(StrEnum):
    """What the first line of a file is: one record, a container, or not the whole of a value."""

    RECORD = "record"
    CONTAINER = "container"
    UNFINISHED = "unfinished"


def first_line(reader: Reader) -> FirstLine:
    """Look at the first line of a file that is not blank."""
    line = _first_line(reader)
    if not line.startswith((b"{", b"[")):
        return FirstLine.RECORD
    try:
        value = json.loads(line.decode(), parse_constant=reject_constant)
    except (ValueError, RecursionError):
        return FirstLine.UNFINISHED
    return FirstLine.CONTAINER if holds_several(value) else FirstLine.RECORD


def _first_line(reader: Reader) -> bytes:
    """The first line that is not blank, stripped; of a line too large only its beginning."""
    line = b""
    for piece in pieces(reader):
        line += piece.content
        if (piece.last and line.strip(BLANK)) or len(line) > MAX_HELD:
            break
        if piece.last:
            line = b""
    return line.strip(BLANK)


def records_in(open_splitter: Callable[[], JsonSplitter]) -> tuple[Shape, Iterator[Record]]:
    """The shape of a file that is no newline-delimited one, and its records, one by one.

    `open_splitter` opens the file at its beginning. Raises `InvalidJson` or `TruncatedJson`, at
    once or while the records are read.
    """
    values = open_splitter()
    if values.peek() == "[":
        if not is_container_array(open_splitter()):
            raise InvalidJson
        return Shape.ARRAY, _and_then(records_of_array(values), values)
    whole = open_splitter()
    key = wrapped_key(whole)
    if key is None or whole.peek():
        return Shape.OBJECTS, sequence(values)
    return Shape.WRAPPER, _and_then(records_of_wrapper(values, key), values)


def _and_then(records: Iterator[Record], values: JsonSplitter) -> Iterator[Record]:
    """The records of the first value and of those after it."""
    yield from records
    yield from sequence(values)


def records_of_lines(reader: Reader, spill: Path) -> Iterator[Record]:
    """The records of a newline-delimited file: its lines that are not blank, those unpacked that
    are containers. One of more than 8 MB is written to the file `spill`, to be taken from there.
    """
    stream = pieces(reader)
    for number, (first, is_last) in enumerate(stream, 1):
        if is_last and is_plain(first) and len(first) <= MAX_LINE_BYTES:
            yield Record(first, number)
            continue
        content, last = first, is_last
        while not last and len(content) <= MAX_LINE_BYTES:
            following, last = next(stream, Piece(b"", last=True))
            content += following
        if len(content) > MAX_LINE_BYTES:
            with make_private_file(spill).open("wb") as file:
                is_blank = copy_line(stream, Piece(content, last), file)
            if not is_blank:
                yield from _records_of_large_line(spill, number)
        elif content.strip(BLANK):
            records = unpack_line(content, number, spill)
            yield from [Record(content, number)] if records is None else records


def _records_of_large_line(path: Path, number: int) -> Iterator[Record]:
    """The records of a line that is kept in a file, which is read twice if it is a container."""
    with contextlib.ExitStack() as stack:

        def open_splitter() -> JsonSplitter:
            return JsonSplitter(stack.enter_context(path.open("rb")), Path(f"{path}-"), number)

        try:
            shape, records = records_in(open_splitter)
            for _ in records if shape is not Shape.OBJECTS else ():
                pass  # the line is a container only if it is one to its end
        except InvalidJson:
            shape = Shape.LINES
        if shape in (Shape.ARRAY, Shape.WRAPPER):
            yield from records_in(open_splitter)[1]
        else:
            yield Record(path, number)
