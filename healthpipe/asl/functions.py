"""The intrinsic functions (specification, appendix B, and Step Functions' documentation)."""

import base64
import binascii
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from healthpipe.asl.paths import are_equal, is_integer

MAX_ITEMS = 1000
MAX_CHARACTERS = 10_000
_ALGORITHMS = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}
_PIECE = re.compile(r"\\(?P<escaped>['{}\\])|(?P<placeholder>\{\})|(?P<plain>[^\\{}])", re.DOTALL)


class ArgumentError(ValueError):
    """The arguments of an intrinsic function have the wrong type or value."""


@dataclass(frozen=True)
class Function:
    """An intrinsic function, which gets the source of random numbers before its arguments.

    `max_arguments` is None where it takes any number of them.
    """

    implementation: Callable[..., Any]
    min_arguments: int
    max_arguments: int | None

    def accepts(self, count: int) -> bool:
        """Tell whether it can be called with so many arguments."""
        return self.min_arguments <= count and (
            self.max_arguments is None or count <= self.max_arguments
        )


def split_template(template: str) -> list[str]:
    r"""Split a template at its placeholders `{}`, where `\` escapes ' { } and itself.

    Raises `ArgumentError` for an escape that stays open and for a brace that is not escaped.
    """
    texts, position = [""], 0
    while position < len(template):
        piece = _PIECE.match(template, position)
        if not piece:
            raise ArgumentError(r"needs \ before each of ' { } \ that stands for itself")
        if piece["placeholder"]:
            texts.append("")
        else:
            texts[-1] += piece["escaped"] or piece["plain"]
        position = piece.end()
    return texts


def _format(template: Any, *values: Any) -> str:
    texts = split_template(_text(template))
    _require(len(texts) - 1 == len(values), "needs as many values as places {}")
    _require(not any(isinstance(value, list | dict) for value in values), "takes no list or object")
    texts_of_values = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return "".join(map("".join, zip(texts, [*texts_of_values, ""], strict=True)))


def _string_to_json(text: Any) -> Any:
    try:
        return json.loads(_text(text))
    except ValueError:
        raise ArgumentError("got no JSON") from None


def _json_to_string(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _array_contains(items: Any, wanted: Any) -> bool:
    return any(are_equal(item, wanted) for item in _list(items))


def _array_get_item(items: Any, index: Any) -> Any:
    _require(0 <= _integer(index) < len(_list(items)), "has no item of that index")
    return items[index]


def _array_range(first: Any, last: Any, step: Any) -> list[int]:
    _require(_integer(step) != 0, "needs a step that is not 0")
    numbers = range(_integer(first), _integer(last) + (1 if step > 0 else -1), step)
    _require(len(numbers) <= MAX_ITEMS, f"makes at most {MAX_ITEMS} items")
    return list(numbers)


def _array_partition(items: Any, size: Any) -> list[list[Any]]:
    _require(_integer(size) > 0, "needs a size above 0")
    return [items[start : start + size] for start in range(0, len(_list(items)), size)]


def _array_unique(items: Any) -> list[Any]:
    unique: list[Any] = []
    for item in _list(items):
        if not _array_contains(unique, item):
            unique.append(item)
    return unique


def _base64_encode(text: Any) -> str:
    return base64.b64encode(_bounded_text(text).encode()).decode()


def _base64_decode(text: Any) -> str:
    try:
        return base64.b64decode(_bounded_text(text), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ArgumentError("got no Base64 of a text") from None


def _hash(text: Any, algorithm: Any) -> str:
    _require(algorithm in _ALGORITHMS, f"knows {', '.join(_ALGORITHMS)}")
    return hashlib.new(_ALGORITHMS[algorithm], _bounded_text(text).encode()).hexdigest()


def _json_merge(one: Any, other: Any, deep: Any) -> dict[str, Any]:
    _require(isinstance(one, dict) and isinstance(other, dict), "merges two objects")
    _require(deep is False, "merges shallowly alone: its third argument is false")
    return {**one, **other}


def _math_random(random: Callable[[], float], start: Any, end: Any, seed: Any = None) -> int:
    _require(_integer(start) < _integer(end), "needs a start below its end")
    fraction = random() if seed is None else Random(_integer(seed)).random()
    return int(start + fraction * (end - start))


def _string_split(text: Any, delimiters: Any) -> list[str]:
    """Split at each of the characters; empty parts are left out."""
    _require(_text(delimiters) != "", "needs a delimiter")
    return [part for part in re.split(f"[{re.escape(delimiters)}]", _text(text)) if part]


def _fixed(implementation: Callable[..., Any], arguments: int) -> Function:
    """Create a function without random numbers, of so many arguments."""
    return Function(lambda _, *values: implementation(*values), arguments, arguments)


def _variadic(implementation: Callable[..., Any], min_arguments: int) -> Function:
    """Create a function without random numbers, of any number of arguments from a minimum on."""
    return Function(lambda _, *values: implementation(*values), min_arguments, None)


FORMAT = "States.Format"
FUNCTIONS = {
    FORMAT: _variadic(_format, 1),
    "States.StringToJson": _fixed(_string_to_json, 1),
    "States.JsonToString": _fixed(_json_to_string, 1),
    "States.Array": _variadic(lambda *values: list(values), 0),
    "States.ArrayContains": _fixed(_array_contains, 2),
    "States.ArrayGetItem": _fixed(_array_get_item, 2),
    "States.ArrayLength": _fixed(lambda items: len(_list(items)), 1),
    "States.ArrayPartition": _fixed(_array_partition, 2),
    "States.ArrayRange": _fixed(_array_range, 3),
    "States.ArrayUnique": _fixed(_array_unique, 1),
    "States.Base64Decode": _fixed(_base64_decode, 1),
    "States.Base64Encode": _fixed(_base64_encode, 1),
    "States.Hash": _fixed(_hash, 2),
    "States.JsonMerge": _fixed(_json_merge, 3),
    "States.MathAdd": _fixed(lambda one, other: _integer(one) + _integer(other), 2),
    "States.MathRandom": Function(_math_random, 2, 3),
    "States.StringSplit": _fixed(_string_split, 2),
    "States.UUID": _fixed(lambda: str(uuid.uuid4()), 0),
}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ArgumentError(message)


def _text(value: Any) -> str:
    _require(isinstance(value, str), "needs a text")
    return str(value)


def _bounded_text(value: Any) -> str:
    _require(len(_text(value)) <= MAX_CHARACTERS, f"takes {MAX_CHARACTERS:,} characters at most")
    return str(value)


def _integer(value: Any) -> int:
    _require(is_integer(value), "needs whole numbers")
    return int(value)


def _list(value: Any) -> list[Any]:
    _require(isinstance(value, list), "needs a list")
    return list(value)
