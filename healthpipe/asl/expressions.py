"""Calls of intrinsic functions, as `States.Format('{} of {}', $.a, States.MathAdd($.b, 1))`.

Payload templates: JSON in which the value of a `name.$` is a path or an intrinsic function.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from healthpipe.asl import paths
from healthpipe.asl.errors import (
    INTRINSIC_FAILURE,
    PARAMETER_PATH_FAILURE,
    RUNTIME,
    InvalidDefinition,
    StateFailed,
)
from healthpipe.asl.functions import FORMAT, FUNCTIONS, ArgumentError, split_template

Random = Callable[[], float]
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<call>[A-Za-z0-9._]+)\( |
    (?P<path>\$(?:[^\s,()'\[\]]|\[\d+\]|\['[^']*'\])*) |
    '(?P<text>(?:[^'\\]|\\.)*)' |
    (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.]) |
    (?P<word>null|true|false)(?![\w.]) |
    (?P<sign>[,)])
    )\s*""",
    re.VERBOSE | re.ASCII,
)
_WORDS = {"null": None, "true": True, "false": False}


class _Literal(str):
    """A text as it is spelt, its escapes in it."""

    __slots__ = ()


@dataclass(frozen=True)
class IntrinsicCall:
    """A function and its arguments: literals, paths and calls."""

    name: str
    arguments: tuple[Any, ...]

    def value(self, data: Any, context: Mapping[str, Any], random: Random) -> Any:
        """What the function makes of its arguments.

        Raises `PathNotFound` for a path among them, and `StateFailed`.
        """
        values = [_value(argument, data, context, random) for argument in self.arguments]
        try:
            return FUNCTIONS[self.name].body(random, *values)
        except ArgumentError as unfit:
            raise StateFailed(INTRINSIC_FAILURE, f"{self.name} {unfit}") from None


def parse(text: Any) -> IntrinsicCall:
    """The call that a definition spells. Raises `InvalidDefinition`."""
    found = _parse(text) if isinstance(text, str) else None
    if found is None:
        raise InvalidDefinition(f"has neither a path nor an intrinsic function, but {text!r}")
    return found


@cache
def _parse(text: str) -> IntrinsicCall | None:
    found, position = _argument(text, 0)
    return found if isinstance(found, IntrinsicCall) and position == len(text) else None


def _value(argument: Any, data: Any, context: Mapping[str, Any], random: Random) -> Any:
    if isinstance(argument, IntrinsicCall):
        return argument.value(data, context, random)
    if isinstance(argument, paths.Path):
        return argument.look_up(data, context)
    return argument


def _argument(text: str, position: int) -> tuple[Any, int]:
    token = _next(text, position)
    end = token.end()
    if name := token["call"]:
        return _call(text, name, end)
    if path := token["path"]:
        return paths.parse(path), end
    if number := token["number"]:
        return (int(number) if re.fullmatch(r"-?\d+", number) else float(number)), end
    if word := token["word"]:
        return _WORDS[word], end
    if token["sign"]:
        raise InvalidDefinition(f"lacks an argument: {text!r}")
    return _Literal(token["text"]), end


def _call(text: str, name: str, position: int) -> tuple[IntrinsicCall, int]:
    arguments: list[Any] = []
    sign = _next(text, position)
    end = sign.end()
    while sign["sign"] != ")":
        argument, end = _argument(text, position)
        arguments.append(argument)
        sign = _next(text, end)
        position = end = sign.end()
        if not sign["sign"]:
            raise InvalidDefinition(f"lacks a comma: {text!r}")
    return _checked(name, arguments), end


def _checked(name: str, arguments: list[Any]) -> IntrinsicCall:
    if name not in FUNCTIONS:
        raise InvalidDefinition(f"has the unknown intrinsic function {name}")
    if not FUNCTIONS[name].takes(len(arguments)):
        raise InvalidDefinition(f"calls {name} with {len(arguments)} arguments")
    read = [
        _read(argument, len(arguments) - 1 if name == FORMAT and number == 0 else None)
        for number, argument in enumerate(arguments)
    ]
    return IntrinsicCall(name, tuple(read))


def _read(argument: Any, places: int | None) -> Any:
    """A literal without its escapes, unless it is a template with so many places."""
    if not isinstance(argument, _Literal):
        return argument
    try:
        texts = split_template(argument)
    except ArgumentError as unfit:
        raise InvalidDefinition(f"{unfit}: {str(argument)!r}") from None
    if len(texts) - 1 != (places or 0):
        raise InvalidDefinition(f"needs {places or 0} places {{}}: {str(argument)!r}")
    return texts[0] if places is None else str(argument)


def _next(text: str, position: int) -> re.Match[str]:
    token = _TOKEN.match(text, position)
    if not token:
        raise InvalidDefinition(f"has no valid intrinsic function: {text!r}")
    return token


_SUFFIX = ".$"


@dataclass(frozen=True)
class EvaluationContext:
    """What paths and functions see: the context object, and where random numbers come from."""

    context: Mapping[str, Any]
    random: Callable[[], float]

    def select(self, path: str, data: Any) -> Any:
        """The value at a path of the data. Raises `StateFailed` with `States.Runtime`."""
        try:
            return paths.parse(path).look_up(data, self.context)
        except paths.PathNotFound as error:
            raise StateFailed(RUNTIME, str(error)) from None

    def evaluate(self, expression: str, data: Any) -> Any:
        """The value of a path or of an intrinsic function.

        Raises `PathNotFound`, and `StateFailed` for a function that fails.
        """
        if expression.startswith("$"):
            return paths.parse(expression).look_up(data, self.context)
        return parse(expression).value(data, self.context, self.random)

    def fill(self, template: Any, data: Any) -> Any:
        """A template with its paths and functions replaced by their values.

        Raises `StateFailed`.
        """
        if isinstance(template, list):
            return [self.fill(item, data) for item in template]
        if not isinstance(template, dict):
            return template
        try:
            return {
                name.removesuffix(_SUFFIX): self.evaluate(value, data)
                if name.endswith(_SUFFIX)
                else self.fill(value, data)
                for name, value in template.items()
            }
        except paths.PathNotFound as error:
            raise StateFailed(PARAMETER_PATH_FAILURE, str(error)) from None


def check_expression(expression: Any) -> None:
    """Raise `InvalidDefinition` unless it is a path or the call of an intrinsic function."""
    if isinstance(expression, str) and expression.startswith("$"):
        paths.parse(expression)
    else:
        parse(expression)


def check_template(template: Any) -> None:
    """Raise `InvalidDefinition` unless each `name.$` in it can be evaluated."""
    if isinstance(template, list):
        for item in template:
            check_template(item)
    elif isinstance(template, dict):
        for name, value in template.items():
            if name.endswith(_SUFFIX):
                if name.removesuffix(_SUFFIX) in template:
                    raise InvalidDefinition(f"has {name} and {name.removesuffix(_SUFFIX)}")
                check_expression(value)
            else:
                check_template(value)
