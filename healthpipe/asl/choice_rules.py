"""The rules of Choice states: data tests, and And, Or, Not over them."""

import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from healthpipe.asl import paths
from healthpipe.asl.errors import InvalidDefinition
from healthpipe.asl.expressions import EvaluationContext
from healthpipe.asl.paths import is_number, timestamp

Rule = Mapping[str, Any]
Reader = Callable[[Any], Any]  # the value as the comparator's type; None for another type

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return value if is_number(value) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_READERS: dict[str, Reader] = {"String": _text, "Numeric": _number, "Timestamp": timestamp}
_COMPARATORS: dict[str, tuple[Reader, Callable[[Any, Any], bool]]] = {
    f"{kind}{order}": (reader, compare)
    for kind, reader in _READERS.items()
    for order, compare in _ORDERS.items()
} | {"BooleanEquals": (_boolean, operator.eq)}
_TYPE_TESTS: dict[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: timestamp(value) is not None,
}
_PRESENT = "IsPresent"
_MATCHES = "StringMatches"
_PATH = "Path"
_BOOLEAN_EXPRESSIONS = {"And", "Or", "Not"}
_DATA_TESTS = {
    *_COMPARATORS,
    *(f"{name}{_PATH}" for name in _COMPARATORS),
    *_TYPE_TESTS,
    _PRESENT,
    _MATCHES,
}
_OPERATORS = _BOOLEAN_EXPRESSIONS | _DATA_TESTS


def holds(rule: Rule, data: Any, view: EvaluationContext) -> bool:
    """Whether a rule is true of the data. Raises `StateFailed` for a path that leads nowhere."""
    name = _operator(rule)
    asked = rule[name]
    match name:
        case "And":
            return all(holds(each, data, view) for each in asked)
        case "Or":
            return any(holds(each, data, view) for each in asked)
        case "Not":
            return not holds(asked, data, view)
        case "IsPresent":
            return _is_present(rule["Variable"], data, view) is asked
    value = view.select(rule["Variable"], data)
    return _passes(name, value, view.select(asked, data) if name.endswith(_PATH) else asked)


def _passes(name: str, value: Any, asked: Any) -> bool:
    """Whether a value passes a data test; values of other types than the test's do not."""
    if name in _TYPE_TESTS:
        return _TYPE_TESTS[name](value) is asked
    if name == _MATCHES:
        return isinstance(value, str) and _pattern(asked).fullmatch(value) is not None
    read, compare = _COMPARATORS[name.removesuffix(_PATH)]
    one, other = read(value), read(asked)
    return one is not None and other is not None and compare(one, other)


def check_rule(rule: Any, *, nested: bool = False) -> None:
    """Raise `InvalidDefinition` unless it is a rule, with a Next just where it is not nested."""
    if not isinstance(rule, dict):
        raise InvalidDefinition(f"has a rule that is no object: {rule!r}")
    if nested == ("Next" in rule):
        wanted = "a nested rule with a Next" if nested else "a rule without Next"
        raise InvalidDefinition(f"has {wanted}")
    name = _operator(rule)
    asked = rule[name]
    known = {name, "Next", "Comment"} | (set() if name in _BOOLEAN_EXPRESSIONS else {"Variable"})
    if unknown := set(rule) - known:
        raise InvalidDefinition(f"has a rule with unknown fields: {', '.join(sorted(unknown))}")
    if name in ("And", "Or"):
        if not isinstance(asked, list) or not asked:
            raise InvalidDefinition(f"has an {name} without rules")
        for each in asked:
            check_rule(each, nested=True)
    elif name == "Not":
        check_rule(asked, nested=True)
    else:
        paths.parse(rule.get("Variable"))
        _check_asked(name, asked)


def _check_asked(name: str, asked: Any) -> None:
    if name.endswith(_PATH):
        paths.parse(asked)
    elif name == _MATCHES:
        _pattern(asked if isinstance(asked, str) else "\\")
    else:
        read = _COMPARATORS[name][0] if name in _COMPARATORS else _boolean
        if read(asked) is None:
            raise InvalidDefinition(f"compares {name} with {asked!r}")


def _operator(rule: Rule) -> str:
    found = [name for name in rule if name in _OPERATORS]
    if len(found) != 1:
        raise InvalidDefinition(f"has a rule with {len(found)} comparison operators")
    return found[0]


def _is_present(path: str, data: Any, view: EvaluationContext) -> bool:
    try:
        paths.parse(path).look_up(data, view.context)
    except paths.PathNotFound:
        return False
    return True


@cache
def _pattern(wildcards: str) -> re.Pattern[str]:
    r"""The pattern of a text in which `*` is any text and `\` escapes `*` and itself."""
    pieces = re.findall(r"\\[*\\]|[^\\]", wildcards)
    if "".join(pieces) != wildcards:
        raise InvalidDefinition(rf"has a pattern with a \ that escapes nothing: {wildcards!r}")
    spelt = (".*" if piece == "*" else re.escape(piece[-1]) for piece in pieces)
    return re.compile("".join(spelt), re.DOTALL)
