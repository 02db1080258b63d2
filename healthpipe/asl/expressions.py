"""Expressions and payload templates.

An expression is a path or a call of an intrinsic function, such as
`States.Format('{} of {}', $.a, States.MathAdd($.b, 1))`. A payload template is JSON in which the
value of each `name.$` is an expression.
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
    (?P<keyword>null|true|false)(?![\w.]) |
    (?P<separator>[,)])
    )\s*""",
    re.VERBOSE | re.ASCII,
)
_KEYWORDS = {"null": None, "true": True, "false": False}


class _Literal(str):
    """A string literal as written, with its escapes."""

    __slots__ = ()


@dataclass(frozen=True)
class IntrinsicCall:
    """A parsed call of an intrinsic function; arguments are literals, paths and calls."""

    name: str
    arguments: tuple[Any, ...]

    def evaluate(self, data: Any, context_object: Mapping[str, Any], random: Random) -> Any:
        """Call the function with the values of its arguments.

        Raises `PathNotFound` for a path among them, and `StateFailed`.
        """
        values = [_value(argument, data, context_object, random) for argument in self.arguments]
        try:
            return FUNCTIONS[self.name].implementation(random, *values)
        except ArgumentError as error:
            raise StateFailed(INTRINSIC_FAILURE, f"{self.name} {error}") from None


def parse_call(text: Any) -> IntrinsicCall:
    """Parse a call of an intrinsic function. Raises `InvalidDefinition`."""
    call = _parse(text) if isinstance(text, str) else None
    if call is None:
        raise InvalidDefinition(f"has neither a path nor an intrinsic function, but {text!r}")
    return call


@cache
def _parse(text: str) -> IntrinsicCall | None:
    call, position = _parse_argument(text, 0)
    return call if isinstance(call, IntrinsicCall) and position == len(text) else None


def _value(argument: Any, data: Any, context_object: Mapping[str, Any], random: Random) -> Any:
    """Evaluate an argument."""
    if isinstance(argument, IntrinsicCall):
        return argument.evaluate(data, context_object, random)
    if isinstance(argument, paths.Path):
        return argument.look_up(data, context_object)
    return argument


def _parse_argument(text: str, position: int) -> tuple[Any, int]:
    """Parse the argument at a position. Returns it and the position after it."""
    token = _match_token(text, position)
    end = token.end()
    if name := token["call"]:
        return _parse_arguments(text, name, end)
    if path := token["path"]:
        return paths.parse(path), end
    if number := token["number"]:
        return (int(number) if re.fullmatch(r"-?\d+", number) else float(number)), end
    if keyword := token["keyword"]:
        return _KEYWORDS[keyword], end
    if token["separator"]:
        raise InvalidDefinition(f"lacks an argument: {text!r}")
    return _Literal(token["text"]), end


def _parse_arguments(text: str, name: str, position: int) -> tuple[IntrinsicCall, int]:
    """Parse what follows a function's opening parenthesis. Returns the call, the position after."""
    arguments: list[Any] = []
    token = _match_token(text, position)
    end = token.end()
    while token["separator"] != ")":
        argument, end = _parse_argument(text, position)
        arguments.append(argument)
        token = _match_token(text, end)
        position = end = token.end()
        if not token["separator"]:
            raise InvalidDefinition(f"lacks a comma: {text!r}")
    return _create_call(name, arguments), end


def _create_call(name: str, arguments: list[Any]) -> IntrinsicCall:
    """Check a function's name and arguments. Raises `InvalidDefinition`."""
    if name not in FUNCTIONS:
        raise InvalidDefinition(f"has the unknown intrinsic function {name}")
    if not FUNCTIONS[name].accepts(len(arguments)):
        raise InvalidDefinition(f"calls {name} with {len(arguments)} arguments")
    unescaped = [
        _unescape_literal(argument, len(arguments) - 1 if name == FORMAT and number == 0 else None)
        for number, argument in enumerate(arguments)
    ]
    return IntrinsicCall(name, tuple(unescaped))


def _unescape_literal(argument: Any, placeholders: int | None) -> Any:
    """Unescape a string literal, unless it is a template with so many placeholders."""
    if not isinstance(argument, _Literal):
        return argument
    try:
        texts = split_template(argument)
    except ArgumentError as error:
        raise InvalidDefinition(f"{error}: {str(argument)!r}") from None
    if len(texts) - 1 != (placeholders or 0):
        raise InvalidDefinition(f"needs {placeholders or 0} places {{}}: {str(argument)!r}")
    return texts[0] if placeholders is None else str(argument)


def _match_token(text: str, position: int) -> re.Match[str]:
    token = _TOKEN.match(text, position)
    if not token:
        raise InvalidDefinition(f"has no valid intrinsic function: {text!r}")
    return token


_SUFFIX = ".$"


@dataclass(frozen=True)
class EvaluationContext:
    """What expressions are evaluated with: the context object and a source of random numbers."""

    context_object: Mapping[str, Any]
    random: Random

    def select(self, path: str, data: Any) -> Any:
        """Return the value at a path. Raises `StateFailed` with `States.Runtime`."""
        try:
            return paths.parse(path).look_up(data, self.context_object)
        except paths.PathNotFound as error:
            raise StateFailed(RUNTIME, str(error)) from None

    def evaluate(self, expression: str, data: Any) -> Any:
        """Evaluate a path or a call of an intrinsic function.

        Raises `PathNotFound`, and `StateFailed` for a function that fails.
        """
        if expression.startswith("$"):
            return paths.parse(expression).look_up(data, self.context_object)
        return parse_call(expression).evaluate(data, self.context_object, self.random)

    def fill_template(self, template: Any, data: Any) -> Any:
        """Replace the expressions of a payload template by their values.

        Raises `StateFailed`.
        """
        if isinstance(template, list):
            return [self.fill_template(item, data) for item in template]
        if not isinstance(template, dict):
            return template
        try:
            return {
                name.removesuffix(_SUFFIX): self.evaluate(value, data)
                if name.endswith(_SUFFIX)
                else self.fill_template(value, data)
                for name, value in template.items()
            }
        except paths.PathNotFound as error:
            raise StateFailed(PARAMETER_PATH_FAILURE, str(error)) from None


def check_expression(expression: Any) -> None:
    """Check a path or a call of an intrinsic function. Raises `InvalidDefinition`."""
    if isinstance(expression, str) and expression.startswith("$"):
        paths.parse(expression)
    else:
        parse_call(expression)


def check_template(template: Any) -> None:
    """Check the expressions of a payload template. Raises `InvalidDefinition`."""
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
