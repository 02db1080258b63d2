"""Reference paths, and the types of JSON values.

A path is `$`, `.name`, `['name']` and `[index]`, and `$$` for the context object; whatever can
select more than one value (wildcards, filters, slices, `..`) is refused. The functions on values
keep JSON's types apart where Python mixes them: a boolean is no number.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from healthpipe.asl.errors import InvalidDefinition

Step = str | int
_STEP = re.compile(r"\.(?P<name>[\w-]+)|\['(?P<quoted>[^'\\]+)'\]|\[(?P<index>\d+)\]")


class PathNotFound(LookupError):
    """No value is at a path, or a value cannot be put there."""


@dataclass(frozen=True)
class Path:
    """A parsed reference path into the data, or (`is_context`) into the context object."""

    text: str
    steps: tuple[Step, ...]
    is_context: bool = False

    def look_up(self, data: Any, context_object: Mapping[str, Any]) -> Any:
        """Return the value at the path. Raises `PathNotFound`."""
        value: Any = context_object if self.is_context else data
        for step in self.steps:
            if not _has(value, step):
                raise PathNotFound(f"{self.text} leads nowhere")
            value = value[step]
        return value

    def put(self, data: Any, value: Any) -> Any:
        """Return a copy of the data with a value at the path; missing objects on it are created.

        Raises `PathNotFound`.
        """
        return self._put(data, self.steps, value)

    def _put(self, data: Any, steps: Sequence[Step], value: Any) -> Any:
        if not steps:
            return value
        step, rest = steps[0], steps[1:]
        if isinstance(step, int) and _has(data, step):
            return [*data[:step], self._put(data[step], rest, value), *data[step + 1 :]]
        if isinstance(step, str) and isinstance(data, Mapping):
            return {**data, step: self._put(data.get(step, {}), rest, value)}
        raise PathNotFound(f"{self.text} has no place in the input")


def parse(text: Any) -> Path:
    """Parse a reference path. Raises `InvalidDefinition`."""
    if not isinstance(text, str) or not text.startswith("$"):
        raise InvalidDefinition(f"has no path, but {text!r}")
    return _parse(text)


@cache
def _parse(text: str) -> Path:
    is_context = text.startswith("$$")
    position = 2 if is_context else 1
    steps: list[Step] = []
    while position < len(text):
        step = _STEP.match(text, position)
        if not step:
            raise InvalidDefinition(f"has the unsupported path {text!r}")
        index = step["index"]
        steps.append(step["name"] or step["quoted"] if index is None else int(index))
        position = step.end()
    return Path(text, tuple(steps), is_context)


def _has(data: Any, step: Step) -> bool:
    if isinstance(step, int):
        return isinstance(data, list) and step < len(data)
    return isinstance(data, Mapping) and step in data


_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def is_number(value: Any) -> bool:
    """Tell whether a value is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """Tell whether a value is a whole number; a boolean is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def parse_timestamp(value: Any) -> datetime | None:
    """Parse an RFC 3339 timestamp with a capital T and Z; None for any other value."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def are_equal(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal; true is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_equal(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
