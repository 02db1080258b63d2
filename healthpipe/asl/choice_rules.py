"""Choice Rules: data-test expressions, and the boolean And, Or, Not over them."""

import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from healthpipe.asl import paths
from healthpipe.asl.errors import InvalidDefinition
from healthpipe.asl.expressions import EvaluationContext
from healthpipe.asl.paths import is_number, parse_timestamp

Rule = Mapping[str, Any]
Reader = Callable[[Any], Any]  # the value if it has the operator's type, else None

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
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


_READERS: dict[str, Reader] = {"String": _text, "Numeric": _number, "Timestamp": parse_timestamp}
_COMPARATORS: dict[str, tuple[Reader, Callable[[Any, Any], bool]]] = {
    f"{kind}{comparison}": (reader, compare)
    for kind, reader in _READERS.items()
    for comparison, compare in _COMPARISONS.items()
} | {"BooleanEquals": (_boolean, operator.eq)}
_TYPE_TESTS: dict[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: parse_timestamp(value) is not None,
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


def rule_matches(rule: Rule, data: Any, evaluation: EvaluationContext) -> bool:
    """Evaluate a Choice Rule. Raises `StateFailed` for a path without a value."""
    name = _operator(rule)
    operand = rule[name]
    match name:
        case "And":
            return all(rule_matches(each, data, evaluation) for each in operand)
        case "Or":
            return any(rule_matches(each, data, evaluation) for each in operand)
        case "Not":
            return not rule_matches(operand, data, evaluation)
        case "IsPresent":
            return _is_present(rule["Variable"], data, evaluation) is operand
    value = evaluation.select(rule["Variable"], data)
    return _test_value(
        name, value, evaluation.select(operand, data) if name.endswith(_PATH) else operand
    )


def _test_value(name: str, value: Any, operand: Any) -> bool:
    """Apply a data test to a value; one of another type than the test's does not pass."""
    if name in _TYPE_TESTS:
        return _TYPE_TESTS[name](value) is operand
    if name == _MATCHES:
        return isinstance(value, str) and _compile_pattern(operand).fullmatch(value) is not None
    read, compare = _COMPARATORS[name.removesuffix(_PATH)]
    one, other = read(value), read(operand)
    return one is not None and other is not None and compare(one, other)


def check_rule(rule: Any, *, nested: bool = False) -> None:
    """Check a Choice Rule: one that is not nested needs a Next. Raises `InvalidDefinition`."""
    if not isinstance(rule, dict):
        raise InvalidDefinition(f"has a rule that is no object: {rule!r}")
    if nested == ("Next" in rule):
        wanted = "a nested rule with a Next" if nested else "a rule without Next"
        raise InvalidDefinition(f"has {wanted}")
    name = _operator(rule)
    operand = rule[name]
    known = {name, "Next", "Comment"} | (set() if name in _BOOLEAN_EXPRESSIONS else {"Variable"})
    if unknown := set(rule) - known:
        raise InvalidDefinition(f"has a rule with unknown fields: {', '.join(sorted(unknown))}")
    if name in ("And", "Or"):
        if not isinstance(operand, list) or not operand:
            raise InvalidDefinition(f"has an {name} without rules")
        for each in operand:
            check_rule(each, nested=True)
    elif name == "Not":
        check_rule(operand, nested=True)
    else:
        paths.parse(rule.get("Variable"))
        _check_operand(name, operand)


def _check_operand(name: str, operand: Any) -> None:
    if name.endswith(_PATH):
        paths.parse(operand)
    elif name == _MATCHES:
        _compile_pattern(operand if isinstance(operand, str) else "\\")
    else:
        read = _COMPARATORS[name][0] if name in _COMPARATORS else _boolean
        if read(operand) is None:
            raise InvalidDefinition(f"compares {name} with {operand!r}")


def _operator(rule: Rule) -> str:
    """Return the name of a rule's one comparison operator. Raises `InvalidDefinition`."""
    names = [name for name in rule if name in _OPERATORS]
    if len(names) != 1:
        raise InvalidDefinition(f"has a rule with {len(names)} comparison operators")
    return names[0]


def _is_present(path: str, data: Any, evaluation: EvaluationContext) -> bool:
    try:
        paths.parse(path).look_up(data, evaluation.context_object)
    except paths.PathNotFound:
        return False
    return True


@cache
def _compile_pattern(wildcards: str) -> re.Pattern[str]:
    r"""Compile a StringMatches pattern: `*` is any text, and `\` escapes `*` and itself."""
    pieces = re.findall(r"\\[*\\]|[^\\]", wildcards)
    if "".join(pieces) != wildcards:
        raise InvalidDefinition(rf"has a pattern with a \ that escapes nothing: {wildcards!r}")
    regex = (".*" if piece == "*" else re.escape(piece[-1]) for piece in pieces)
    return re.compile("".join(regex), re.DOTALL)
