"""The fields of each type of state, and what may be written in them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from healthpipe.asl import paths
from healthpipe.asl.choice_rules import check_rule
from healthpipe.asl.errors import ALL, HANDLED, LONGEST_SECONDS, RESERVED, InvalidDefinition
from healthpipe.asl.expressions import check_expression, check_template
from healthpipe.asl.paths import is_integer, is_number, timestamp

Check = Callable[[Any], object]


@dataclass(frozen=True)
class Fields:
    """The fields of an object: what is required, and of which only one may be there."""

    known: dict[str, Check]
    required: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()

    def check(self, given: Any) -> None:
        """Raise `InvalidDefinition`, which says what is wrong, unless the object is sound."""
        require(isinstance(given, dict), f"is no object: {given!r}")
        if unknown := sorted(set(given) - set(self.known)):
            raise InvalidDefinition(f"has unsupported fields: {', '.join(unknown)}")
        if missing := [name for name in self.required if name not in given]:
            raise InvalidDefinition(f"needs {' and '.join(missing)}")
        for pair in self.exclusive:
            both = [name for name in (pair, f"{pair}Path") if name in given]
            require(len(both) < 2, f"has both {pair} and {pair}Path")
        for name, value in given.items():
            try:
                self.known[name](value)
            except InvalidDefinition as error:
                raise InvalidDefinition(f"{name} {error}") from None


def require(condition: bool, what: str) -> None:
    """Raise `InvalidDefinition` unless the condition holds."""
    if not condition:
        raise InvalidDefinition(what)


def is_text(value: Any) -> None:
    """A text that is not empty."""
    require(isinstance(value, str) and value != "", f"is no text: {value!r}")


def _any(value: Any) -> None:
    """Every JSON value will do."""


def any_text(value: Any) -> None:
    """A text."""
    require(isinstance(value, str), f"is no text: {value!r}")


def _boolean(value: Any) -> None:
    require(isinstance(value, bool), f"is neither true nor false: {value!r}")


def _path_or_null(value: Any) -> None:
    if value is not None:
        paths.parse(value)


def _result_path(value: Any) -> None:
    if value is not None:
        require(not paths.parse(value).of_context, "writes to the context object")


def _template(value: Any) -> None:
    require(isinstance(value, dict), "is no object")
    check_template(value)


def seconds(value: Any) -> None:
    """A whole number of seconds above 0."""
    require(is_integer(value) and 0 < value <= LONGEST_SECONDS, f"is no time: {value!r}")


def _seconds_or_none(value: Any) -> None:
    require(is_integer(value) and 0 <= value <= LONGEST_SECONDS, f"is no time: {value!r}")


def _attempts(value: Any) -> None:
    require(is_integer(value) and value >= 0, f"is no number of attempts: {value!r}")


def _rate(value: Any) -> None:
    require(is_number(value) and value >= 1, f"is below 1: {value!r}")


def _jitter(value: Any) -> None:
    require(value in ("FULL", "NONE"), f"is neither FULL nor NONE: {value!r}")


def _timestamp(value: Any) -> None:
    require(timestamp(value) is not None, f"is no timestamp: {value!r}")


def _error_name(value: Any) -> None:
    is_text(value)
    require(not value.startswith(RESERVED), f"{value!r} is reserved")


def _error_names(value: Any) -> None:
    require(isinstance(value, list) and bool(value), "is no list of error names")
    for name in value:
        is_text(name)
        handled = not name.startswith(RESERVED) or name in HANDLED
        require(handled, f"has {name}, which is no error that can be handled")
    require(ALL not in value or len(value) == 1, f"has {ALL} with other names")


def _list_of(fields: Fields) -> Check:
    """Handlers of errors, of which only the last may take all."""

    def check(value: Any) -> None:
        require(isinstance(value, list), "is no list")
        for number, each in enumerate(value, start=1):
            fields.check(each)
            last = number == len(value)
            require(last or ALL not in each["ErrorEquals"], f"has {ALL} before its last entry")

    return check


def _rules(value: Any) -> None:
    require(isinstance(value, list) and bool(value), "has no rules")
    for rule in value:
        check_rule(rule)
        is_text(rule["Next"])


def _branches(value: Any) -> None:
    require(isinstance(value, list) and bool(value), "has no branches")


RETRIER = Fields(
    {
        "Comment": any_text,
        "ErrorEquals": _error_names,
        "IntervalSeconds": seconds,
        "MaxAttempts": _attempts,
        "BackoffRate": _rate,
        "MaxDelaySeconds": seconds,
        "JitterStrategy": _jitter,
    },
    required=("ErrorEquals",),
)
CATCHER = Fields(
    {
        "Comment": any_text,
        "ErrorEquals": _error_names,
        "ResultPath": _result_path,
        "Next": is_text,
    },
    required=("ErrorEquals", "Next"),
)
_ANY: dict[str, Check] = {"Type": is_text, "Comment": any_text}
_FILTERED = _ANY | {"InputPath": _path_or_null, "OutputPath": _path_or_null}
_STEPPING = _FILTERED | {"Next": is_text, "End": _boolean}
_GIVING = _STEPPING | {"Parameters": _template, "ResultPath": _result_path}
_FALLIBLE = _GIVING | {
    "ResultSelector": _template,
    "Retry": _list_of(RETRIER),
    "Catch": _list_of(CATCHER),
}
STATES = {
    "Task": Fields(
        _FALLIBLE
        | {"Resource": is_text, "TimeoutSeconds": seconds, "TimeoutSecondsPath": paths.parse},
        required=("Resource",),
        exclusive=("TimeoutSeconds",),
    ),
    "Parallel": Fields(_FALLIBLE | {"Branches": _branches}, required=("Branches",)),
    "Pass": Fields(_GIVING | {"Result": _any}),
    "Choice": Fields(_FILTERED | {"Choices": _rules, "Default": is_text}, required=("Choices",)),
    "Wait": Fields(
        _STEPPING
        | {
            "Seconds": _seconds_or_none,
            "SecondsPath": paths.parse,
            "Timestamp": _timestamp,
            "TimestampPath": paths.parse,
        }
    ),
    "Succeed": Fields(_FILTERED),
    "Fail": Fields(
        _ANY
        | {
            "Error": _error_name,
            "ErrorPath": check_expression,
            "Cause": any_text,
            "CausePath": check_expression,
        },
        exclusive=("Error", "Cause"),
    ),
}
