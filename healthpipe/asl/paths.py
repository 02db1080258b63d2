"""Reference paths: `$`, `.name`, `['name']` and `[index]`, and `$$` for the context object.

Whatever can select more than one value (wildcards, filters, slices, `..`) is refused.

What a JSON value is, where Python would see it differently.
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
    """A path has nothing at its end, or no place there for a value."""


@dataclass(frozen=True)
class Path:
    """The steps to one value of the data, or of the context object."""

    text: str
    steps: tuple[Step, ...]
    of_context: bool = False

    def look_up(self, data: Any, context: Mapping[str, Any]) -> Any:
        """The value at the path. Raises `PathNotFound`."""
        found: Any = context if self.of_context else data
        for step in self.steps:
            if not _has(found, step):
                raise PathNotFound(f"{self.text} leads nowhere")
            found = found[step]
        return found

    def put(self, data: Any, value: Any) -> Any:
        """The data with a value at the path, and objects made on the way there where none are.

        The data itself stays as it is. Raises `PathNotFound`.
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
    """The path that a definition spells. Raises `InvalidDefinition`."""
    if not isinstance(text, str) or not text.startswith("$"):
        raise InvalidDefinition(f"has no path, but {text!r}")
    return _parse(text)


@cache
def _parse(text: str) -> Path:
    of_context = text.startswith("$$")
    position = 2 if of_context else 1
    steps: list[Step] = []
    while position < len(text):
        step = _STEP.match(text, position)
        if not step:
            raise InvalidDefinition(f"has the unsupported path {text!r}")
        index = step["index"]
        steps.append(step["name"] or step["quoted"] if index is None else int(index))
        position = step.end()
    return Path(text, tuple(steps), of_context)


def _has(data: Any, step: Step) -> bool:
    if isinstance(step, int):
        return isinstance(data, list) and step < len(data)
    return isinstance(data, Mapping) and step in data


_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def is_number(value: Any) -> bool:
    """Whether it is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """Whether it is a whole number; a boolean is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def timestamp(value: Any) -> datetime | None:
    """The moment that an RFC 3339 text with a capital T and Z tells; None for all else."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def are_equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; true is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_equal(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
