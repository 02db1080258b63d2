"""The fields of each type of state, and the check of each field's value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from healthpipe.asl import paths
from healthpipe.asl.choice_rules import check_rule
from healthpipe.asl.errors import ALL, HANDLEABLE, MAX_SECONDS, RESERVED, InvalidDefinition
from healthpipe.asl.expressions import check_expression, check_template
from healthpipe.asl.paths import is_integer, is_number, parse_timestamp

Check = Callable[[Any], object]


@dataclass(frozen=True)
class Fields:
    """The fields of an object, by name with the check of their values.

    `exclusive` names fields of which only that or its variant ending in `Path` may be present.
    """

    checks: dict[str, Check]
    required: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()

    def check(self, value: Any) -> None:
        """Check an object and its fields. Raises `InvalidDefinition`."""
        require(isinstance(value, dict), f"is no object: {value!r}")
        if unknown := sorted(set(value) - set(self.checks)):
            raise InvalidDefinition(f"has unsupported fields: {', '.join(unknown)}")
        if missing := [name for name in self.required if name not in value]:
            raise InvalidDefinition(f"needs {' and '.join(missing)}")
        for name in self.exclusive:
            is_doubled = name in value and f"{name}Path" in value
            require(not is_doubled, f"has both {name} and {name}Path")
        for name, field_value in value.items():
            try:
                self.checks[name](field_value)
            except InvalidDefinition as error:
                raise InvalidDefinition(f"{name} {error}") from None


def require(condition: bool, message: str) -> None:
    """Raise `InvalidDefinition` with a message unless a condition is true."""
    if not condition:
        raise InvalidDefinition(message)


def check_name(value: Any) -> None:
    """Check a string that must not be empty."""
    require(isinstance(value, str) and value != "", f"is no text: {value!r}")


def _check_anything(value: Any) -> None:
    """Accept every JSON value."""


def check_text(value: Any) -> None:
    """Check a string."""
    require(isinstance(value, str), f"is no text: {value!r}")


def _check_boolean(value: Any) -> None:
    require(isinstance(value, bool), f"is neither true nor false: {value!r}")


def _check_path_or_null(value: Any) -> None:
    if value is not None:
        paths.parse(value)


def _check_result_path(value: Any) -> None:
    if value is not None:
        require(not paths.parse(value).is_context, "writes to the context object")


def _check_template_object(value: Any) -> None:
    require(isinstance(value, dict), "is no object")
    check_template(value)


def check_seconds(value: Any) -> None:
    """Check a whole number of seconds above 0."""
    require(is_integer(value) and 0 < value <= MAX_SECONDS, f"is no time: {value!r}")


def _check_seconds_or_zero(value: Any) -> None:
    require(is_integer(value) and 0 <= value <= MAX_SECONDS, f"is no time: {value!r}")


def _check_attempts(value: Any) -> None:
    require(is_integer(value) and value >= 0, f"is no number of attempts: {value!r}")


def _check_rate(value: Any) -> None:
    require(is_number(value) and value >= 1, f"is below 1: {value!r}")


def _check_jitter(value: Any) -> None:
    require(value in ("FULL", "NONE"), f"is neither FULL nor NONE: {value!r}")


def _check_timestamp(value: Any) -> None:
    require(parse_timestamp(value) is not None, f"is no timestamp: {value!r}")


def _check_error_name(value: Any) -> None:
    check_name(value)
    require(not value.startswith(RESERVED), f"{value!r} is reserved")


def _check_error_names(value: Any) -> None:
    require(isinstance(value, list) and bool(value), "is no list of error names")
    for name in value:
        check_name(name)
        is_handleable = not name.startswith(RESERVED) or name in HANDLEABLE
        require(is_handleable, f"has {name}, which is no error that can be handled")
    require(ALL not in value or len(value) == 1, f"has {ALL} with other names")


def _handlers(fields: Fields) -> Check:
    """Create the check of a list of Retriers or Catchers: only the last may match all errors."""

    def check(value: Any) -> None:
        require(isinstance(value, list), "is no list")
        for number, each in enumerate(value, start=1):
            fields.check(each)
            is_last = number == len(value)
            require(is_last or ALL not in each["ErrorEquals"], f"has {ALL} before its last entry")

    return check


def _check_rules(value: Any) -> None:
    require(isinstance(value, list) and bool(value), "has no rules")
    for rule in value:
        check_rule(rule)
        check_name(rule["Next"])


def _check_branches(value: Any) -> None:
    require(isinstance(value, list) and bool(value), "has no branches")


RETRIER = Fields(
    {
        "Comment": check_text,
        "ErrorEquals": _check_error_names,
        "IntervalSeconds": check_seconds,
        "MaxAttempts": _check_attempts,
        "BackoffRate": _check_rate,
        "MaxDelaySeconds": check_seconds,
        "JitterStrategy": _check_jitter,
    },
    required=("ErrorEquals",),
)
CATCHER = Fields(
    {
        "Comment": check_text,
        "ErrorEquals": _check_error_names,
        "ResultPath": _check_result_path,
        "Next": check_name,
    },
    required=("ErrorEquals", "Next"),
)
_COMMON: dict[str, Check] = {"Type": check_name, "Comment": check_text}
_WITH_PATHS = _COMMON | {"InputPath": _check_path_or_null, "OutputPath": _check_path_or_null}
_WITH_NEXT = _WITH_PATHS | {"Next": check_name, "End": _check_boolean}
_WITH_RESULT = _WITH_NEXT | {"Parameters": _check_template_object, "ResultPath": _check_result_path}
_WITH_HANDLERS = _WITH_RESULT | {
    "ResultSelector": _check_template_object,
    "Retry": _handlers(RETRIER),
    "Catch": _handlers(CATCHER),
}
STATES = {
    "Task": Fields(
        _WITH_HANDLERS
        | {
            "Resource": check_name,
            "TimeoutSeconds": check_seconds,
            "TimeoutSecondsPath": paths.parse,
        },
        required=("Resource",),
        exclusive=("TimeoutSeconds",),
    ),
    "Parallel": Fields(_WITH_HANDLERS | {"Branches": _check_branches}, required=("Branches",)),
    "Pass": Fields(_WITH_RESULT | {"Result": _check_anything}),
    "Choice": Fields(
        _WITH_PATHS | {"Choices": _check_rules, "Default": check_name}, required=("Choices",)
    ),
    "Wait": Fields(
        _WITH_NEXT
        | {
            "Seconds": _check_seconds_or_zero,
            "SecondsPath": paths.parse,
            "Timestamp": _check_timestamp,
            "TimestampPath": paths.parse,
        }
    ),
    "Succeed": Fields(_WITH_PATHS),
    "Fail": Fields(
        _COMMON
        | {
            "Error": _check_error_name,
            "ErrorPath": check_expression,
            "Cause": check_text,
            "CausePath": check_expression,
        },
        exclusive=("Error", "Cause"),
    ),
}
