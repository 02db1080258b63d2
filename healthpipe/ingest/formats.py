"""The shape of a file, told by its content, and the records of one that is not lines."""

import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from healthpipe.ingest.content import BLANK, Reader, pieces
from healthpipe.ingest.json_splitter import MOST_HELD, InvalidJson, JsonSplitter, refuse

KEY_OF_RECORDS = "facility_id"
Value = str | Path


class Shape(StrEnum):
    """How the records of a file lie in it."""

    LINES = "ndjson"
    ARRAY = "array"
    OBJECT = "object"
    OBJECTS = "objects"
    WRAPPER = "wrapper"
    BROKEN = "broken"

    @property
    def has_items(self) -> bool:
        """Whether records are items of a container, rewritten one a line."""
        return self not in (Shape.LINES, Shape.BROKEN)


def may_be_container(reader: Reader) -> bool:
    """Whether the first lines of a file leave open that it is a container.

    They do unless the first is an object, complete, or begins like no container. An object that
    is the only line may be a wrapper.
    """
    lines = _lines(reader)
    first = next(lines, b"")
    if not first.startswith((b"{", b"[")):
        return False
    try:
        value = json.loads(first.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return True
    return isinstance(value, list) or (_is_wrapper(value) and next(lines, None) is None)


def records_in(open_values: Callable[[], JsonSplitter]) -> tuple[Shape, Iterator[Value]]:
    """The shape of a container and its records, one by one.

    Raises `InvalidJson` or `TruncatedJson`, at once or on the way.
    """
    values = open_values()
    if values.peek() == "[":
        return Shape.ARRAY, _alone(values, _items(values))
    key = wrapping_key(open_values())
    if key is None:
        return Shape.OBJECTS, _objects(values)
    wrapped = (item for name, item in _members(values) if item is not None and name == key)
    return Shape.WRAPPER, _alone(values, wrapped)


def wrapping_key(values: JsonSplitter) -> str | None:
    """The key of the records, if the text is a wrapper: an object alone, without `facility_id`,
    in which exactly one value is a list of objects.

    An empty list is none, lest a facility with one empty list vanish.
    """
    keys, lists = set(), dict[str, bool]()
    for key, item in _members(values):
        keys.add(key)
        if item is not None:
            lists[key] = lists.get(key, True) and _is_object(item)
    found = [key for key, holds_objects in lists.items() if holds_objects]
    is_wrapper = KEY_OF_RECORDS not in keys and len(found) == 1 and not values.peek()
    return found[0] if is_wrapper else None


def _is_wrapper(value: dict[str, Any]) -> bool:
    """The same of an object that is held."""
    lists = (v for v in value.values() if isinstance(v, list) and v)
    found = [v for v in lists if all(isinstance(item, dict) for item in v)]
    return KEY_OF_RECORDS not in value and len(found) == 1


def _is_object(value: Value) -> bool:
    if isinstance(value, str):
        return value.startswith("{")
    with value.open("rb") as file:
        return file.read(1) == b"{"


def _members(values: JsonSplitter) -> Iterator[tuple[str, Value | None]]:
    """Each key of an object; and if it holds a list, again with each of the list's items."""
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
    values.take("[")
    if values.peek() == "]":
        values.take("]")
        return
    while True:
        yield values.value()
        if values.take(",]") == "]":
            return


def _objects(values: JsonSplitter) -> Iterator[Value]:
    while first := values.peek():
        if first != "{":
            raise InvalidJson
        yield values.value()


def _alone(values: JsonSplitter, items: Iterator[Value]) -> Iterator[Value]:
    """The items of a container that nothing follows."""
    yield from items
    if values.peek():
        raise InvalidJson


def _lines(reader: Reader) -> Iterator[bytes]:
    """The lines of a file that are not blank; of one too large to hold only its beginning."""
    line = bytearray()
    for piece in pieces(reader):
        if len(line) <= MOST_HELD:
            line += piece.content
        if piece.last:
            if stripped := bytes(line).strip(BLANK):
                yield stripped
            line.clear()
    if stripped := bytes(line).strip(BLANK):
        yield stripped
