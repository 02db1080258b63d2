"""The shape of a file by its content, and the records of a container.

A container is an array, a wrapper or a sequence of objects.
"""

import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from healthpipe.ingest.content import BLANK, pieces
from healthpipe.ingest.json_splitter import MAX_HELD, InvalidJson, JsonSplitter, reject_constant
from healthpipe.ingest.packing import Reader

RECORD_KEY = "facility_id"
Value = str | Path


class Shape(StrEnum):
    """How a file holds its records.

    A wrapper is an object without `facility_id` in which exactly one value is a list of objects.
    """

    LINES = "ndjson"
    ARRAY = "array"
    OBJECT = "object"
    OBJECTS = "objects"
    WRAPPER = "wrapper"
    BROKEN = "broken"

    @property
    def has_items(self) -> bool:
        """Whether the records are items of a container, to be rewritten one on each line."""
        return self not in (Shape.LINES, Shape.BROKEN)


def may_be_container(reader: Reader) -> bool:
    """Whether a file may be a container, by its first lines.

    It is none if its first line is a complete object, or begins with neither `{` nor `[`. An
    object that is the only line may be a wrapper.
    """
    lines = _nonblank_lines(reader)
    first = next(lines, b"")
    if not first.startswith((b"{", b"[")):
        return False
    try:
        value = json.loads(first.decode(), parse_constant=reject_constant)
    except (ValueError, RecursionError):
        return True
    return isinstance(value, list) or (_is_wrapper(value) and next(lines, None) is None)


def records_in(open_splitter: Callable[[], JsonSplitter]) -> tuple[Shape, Iterator[Value]]:
    """The shape of a container and its records, one by one: their text, or the file of a large one.

    `open_splitter` opens the file at its beginning. Raises `InvalidJson` or `TruncatedJson`, at
    once or while the records are read.
    """
    values = open_splitter()
    if values.peek() == "[":
        return Shape.ARRAY, _then_end(values, _items(values))
    key = wrapping_key(open_splitter())
    if key is None:
        return Shape.OBJECTS, _objects(values)
    wrapped = (item for name, item in _members(values) if item is not None and name == key)
    return Shape.WRAPPER, _then_end(values, wrapped)


def wrapping_key(values: JsonSplitter) -> str | None:
    """The key of the list of records, if the text is a wrapper and nothing more; else None.

    An empty list is no list of records, lest a facility with one empty list vanish.
    """
    keys, lists = set(), dict[str, bool]()
    for key, item in _members(values):
        keys.add(key)
        if item is not None:
            lists[key] = lists.get(key, True) and _is_object(item)
    found = [key for key, holds_objects in lists.items() if holds_objects]
    is_wrapper = RECORD_KEY not in keys and len(found) == 1 and not values.peek()
    return found[0] if is_wrapper else None


def _is_wrapper(value: dict[str, Any]) -> bool:
    """Whether a parsed object is a wrapper."""
    lists = (v for v in value.values() if isinstance(v, list) and v)
    found = [v for v in lists if all(isinstance(item, dict) for item in v)]
    return RECORD_KEY not in value and len(found) == 1


def _is_object(value: Value) -> bool:
    """Whether a value is an object, by its first character."""
    if isinstance(value, str):
        return value.startswith("{")
    with value.open("rb") as file:
        return file.read(1) == b"{"


def _members(values: JsonSplitter) -> Iterator[tuple[str, Value | None]]:
    """Each key of an object with None; that of a list again with each of the list's items."""
    values.take("{")
    if values.peek() == "}":
        values.take("}")
        return
    while True:
        if values.peek() not in ("", '"'):
            raise InvalidJson
        key = str(json.loads(str(values.value())))
        values.take(":")
        yield key, None
        if values.peek() == "[":
            for item in _items(values):
                yield key, item
        else:
            values.value()
        if values.take(",}") == "}":
            return


def _items(values: JsonSplitter) -> Iterator[Value]:
    """The items of the array that comes next."""
    values.take("[")
    if values.peek() == "]":
        values.take("]")
        return
    while True:
        yield values.value()
        if values.take(",]") == "]":
            return


def _objects(values: JsonSplitter) -> Iterator[Value]:
    """The objects to the end of the text."""
    while first := values.peek():
        if first != "{":
            raise InvalidJson
        yield values.value()


def _then_end(values: JsonSplitter, items: Iterator[Value]) -> Iterator[Value]:
    """The items of a container; raises `InvalidJson` if anything follows it."""
    yield from items
    if values.peek():
        raise InvalidJson


def _nonblank_lines(reader: Reader) -> Iterator[bytes]:
    """The lines of a file that are not blank, stripped; of a line too large only its beginning."""
    line = bytearray()
    for piece in pieces(reader):
        if len(line) <= MAX_HELD:
            line += piece.content
        if piece.last:
            if stripped := bytes(line).strip(BLANK):
                yield stripped
            line.clear()
    if stripped := bytes(line).strip(BLANK):
        yield stripped
