"""The records of JSON values: an array or a wrapper, a container, holds several of them, or none.

An object with a key of the contract is a record. Without one it is a wrapper if exactly one of its
values is a list of objects, or if its only list is empty. The records of an array are those of its
items, in any nesting; an array in which something lies, but no object, is no container.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from healthpipe.contract import MAX_DEPTH, RECORD_KEYS
from healthpipe.ingest.content import BLANK
from healthpipe.ingest.json_splitter import InvalidJson, JsonSplitter, on_one_line

Value = str | Path
# The value of a record that is not numbered yet, and its line.
Placed = tuple[bytes | Path, int]
# How most records begin, which are looked at no closer.
_KEY = "|".join(RECORD_KEYS)
_RECORD_TEXT = re.compile(rf'[ \t]*\{{[ \t\r\n]*"(?:{_KEY})"')
_RECORD_LINE = re.compile(_RECORD_TEXT.pattern.encode())
_Keys = msgspec.defstruct("_Keys", [(key, msgspec.Raw, msgspec.UNSET) for key in RECORD_KEYS])
_NO_KEYS = _Keys()
_decode_keys = msgspec.json.Decoder(_Keys).decode


class Record(NamedTuple):
    """A record, or what stands where one should, and its place in its file.

    `value` is its bytes on one line, or the file of one too large to hold. `line` is the number of
    the line on which it begins, `item` its own among the records of the container that holds it.
    """

    value: bytes | Path
    line: int
    item: int | None = None

    @property
    def place(self) -> str:
        """The place in words: `LINE`, or `LINE#ITEM` in a container."""
        return f"{self.line}" if self.item is None else f"{self.line}#{self.item}"


def is_plain(line: bytes) -> bool:
    """Whether a line begins as most records do, so that it is none but one."""
    return _RECORD_LINE.match(line) is not None


def unpack_line(line: bytes, number: int, spill: Path) -> list[Record] | None:
    """The records of a line that is a container, or several of them, one behind the other.

    None for any other line. Few lines are looked at closely: those without a key of the contract.
    """
    if is_plain(line) or b"[" not in line:
        return None
    if not line.lstrip(BLANK).startswith((b"{", b"[")) or _has_key(line):
        return None
    values = JsonSplitter(io.BytesIO(line), spill, number)
    try:
        records = list(sequence(values, is_line=True))
    except InvalidJson:
        return None
    return [Record(record.value, number, item) for item, record in enumerate(records, 1)]


def holds_several(value: Any) -> bool:
    """Whether a parsed value is a container."""
    if isinstance(value, dict):
        lists = {key: _of_objects(items) for key, items in value.items() if isinstance(items, list)}
        return value.keys().isdisjoint(RECORD_KEYS) and _only_list(lists) is not None
    leaves = list(_leaves(value)) if isinstance(value, list) else [None]
    return not leaves or any(isinstance(leaf, dict) for leaf in leaves)


def _of_objects(items: list[Any]) -> bool | None:
    """Whether a list has objects alone; None if it is empty."""
    return all(isinstance(item, dict) for item in items) if items else None


def _leaves(items: list[Any]) -> Iterator[Any]:
    """The items of a list that are no lists, in any nesting."""
    for item in items:
        if isinstance(item, list):
            yield from _leaves(item)
        else:
            yield item


def _only_list(lists: Mapping[str, bool | None]) -> str | None:
    """The key of the list of records among an object's lists by key: see `_of_objects`."""
    found = [key for key, of_objects in lists.items() if of_objects]
    if not found and len(lists) == 1:
        found = [key for key, of_objects in lists.items() if of_objects is None]
    return found[0] if len(found) == 1 else None


def _has_key(text: str | bytes) -> bool:
    """Whether a text is an object with a key of the contract; False where it is no JSON."""
    try:
        return bool(_decode_keys(text) != _NO_KEYS)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def is_container_array(values: JsonSplitter) -> bool:
    """Whether the array that comes next is a container; it is read to its first object only."""
    depth, has_scalar = 0, False
    while True:
        if values.peek() == "{":
            return True
        if values.peek() == "[":
            values.take("[")
            depth += 1
            if values.peek() != "]":
                continue
        else:
            values.value()
            has_scalar = True
        while depth and values.take(",]") == "]":
            depth -= 1
        if not depth:
            return not has_scalar


def wrapped_key(values: JsonSplitter) -> str | None:
    """Take an object; returns the key of its list of records, None if it is no wrapper."""
    keys, lists = set[str](), dict[str, bool | None]()
    for key in _members(values):
        keys.add(key)
        if values.peek() != "[":
            values.value()
            continue
        lists.setdefault(key, None)
        for _ in _items(values):
            lists[key] = values.peek() == "{" and lists[key] is not False
            values.value()
    return _only_list(lists) if keys.isdisjoint(RECORD_KEYS) else None


def records_of_array(values: JsonSplitter) -> Iterator[Record]:
    """The records of the array that comes next, numbered."""
    return _numbered(_records(values, 0))


def records_of_wrapper(values: JsonSplitter, key: str) -> Iterator[Record]:
    """The records of the wrapper that comes next, numbered; its list has this key."""
    return _numbered(_wrapped(values, key, 0))


def sequence(values: JsonSplitter, *, is_line: bool = False) -> Iterator[Record]:
    """The records of the arrays and objects to the end of the text, one after another.

    On a line the first of them has to be a container. Raises `InvalidJson`, `TruncatedJson`.
    """
    while first := values.peek():
        if first not in "[{":
            raise InvalidJson
        line, value = values.line, values.value()
        if first == "[":
            with _opened(values, value, line) as inner:
                is_container, key = is_container_array(inner), None
        else:
            key = _wrapped_key_of(values, value, line)
            is_container = key is not None
        if is_line and not is_container:
            raise InvalidJson
        is_line = False
        if is_container:
            yield from _numbered(_unpacked(values, value, line, key, 0))
        else:
            yield Record(_content(value), line)


def _numbered(records: Iterator[Placed]) -> Iterator[Record]:
    for number, (value, line) in enumerate(records, 1):
        yield Record(value, line, number)


def _records(values: JsonSplitter, depth: int) -> Iterator[Placed]:
    """The records of the value that comes next, below so many containers."""
    if values.peek() == "[" and depth < MAX_DEPTH:
        for _ in _items(values):
            yield from _records(values, depth + 1)
        return
    line, value = values.line, values.value()
    key = _wrapped_key_of(values, value, line) if depth < MAX_DEPTH else None
    if key is None:
        yield _content(value), line
    else:
        yield from _unpacked(values, value, line, key, depth)


def _wrapped(values: JsonSplitter, key: str, depth: int) -> Iterator[Placed]:
    """The records of the wrapper that comes next, below so many containers."""
    for name in _members(values):
        if name == key and values.peek() == "[":
            for _ in _items(values):
                yield from _records(values, depth + 1)
        else:
            values.value()


def _unpacked(
    values: JsonSplitter, value: Value, line: int, key: str | None, depth: int
) -> Iterator[Placed]:
    """The records of a container that was taken: a wrapper with this key, or an array."""
    with _opened(values, value, line) as inner:
        yield from _records(inner, depth) if key is None else _wrapped(inner, key, depth)
    if isinstance(value, Path):
        value.unlink()


def _wrapped_key_of(values: JsonSplitter, value: Value, line: int) -> str | None:
    """The key of the list of records of a value that was taken; None if it is no wrapper."""
    if isinstance(value, Path):
        with _opened(values, value, line) as inner:
            return wrapped_key(inner) if inner.peek() == "{" else None
    if _RECORD_TEXT.match(value) or not value.startswith("{") or "[" not in value:
        return None
    if _has_key(value):
        return None
    try:
        parsed = json.loads(value, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    if not holds_several(parsed):
        return None
    with _opened(values, value, line) as inner:
        return wrapped_key(inner)


@contextmanager
def _opened(values: JsonSplitter, value: Value, line: int) -> Iterator[JsonSplitter]:
    """Open a value that was taken from `values`, to take the values in it."""
    spill = Path(f"{values.spill}-")
    if isinstance(value, str):
        yield JsonSplitter(io.BytesIO(value.encode()), spill, line)
        return
    with value.open("rb") as file:
        yield JsonSplitter(file, spill, line)


def _content(value: Value) -> bytes | Path:
    return value if isinstance(value, Path) else on_one_line(value).encode()


def _members(values: JsonSplitter) -> Iterator[str]:
    """The keys of the object that comes next; after each its value has to be taken."""
    values.take("{")
    if values.peek() == "}":
        values.take("}")
        return
    while True:
        if values.peek() not in ("", '"'):
            raise InvalidJson
        key = json.loads(str(values.value()))
        values.take(":")
        yield key
        if values.take(",}") == "}":
            return


def _items(values: JsonSplitter) -> Iterator[None]:
    """Stop before each item of the array that comes next, which then has to be taken."""
    values.take("[")
    if values.peek() == "]":
        values.take("]")
        return
    while True:
        yield
        if values.take(",]") == "]":
            return
