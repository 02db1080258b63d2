"""Payload templates: JSON in which the value of a `name.$` is a path or an intrinsic function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from healthpipe.asl import expressions, paths
from healthpipe.workflow.language.errors import (
    PARAMETER_PATH_FAILURE,
    RUNTIME,
    InvalidDefinition,
    StateFailed,
)

_SUFFIX = ".$"


@dataclass(frozen=True)
class View:
    """What paths and functions see: the context object, and where random numbers come from."""

    context: Mapping[str, Any]
    random: Callable[[], float]

    def select(self, path: str, data: Any) -> Any:
        """The value at a path of the data. Raises `StateFailed` with `States.Runtime`."""
        try:
            return paths.parse(path).look_up(data, self.context)
        except paths.LeadsNowhere as error:
            raise StateFailed(RUNTIME, str(error)) from None

    def evaluate(self, expression: str, data: Any) -> Any:
        """The value of a path or of an intrinsic function.

        Raises `LeadsNowhere`, and `StateFailed` for a function that fails.
        """
        if expression.startswith("$"):
            return paths.parse(expression).look_up(data, self.context)
        return expressions.parse(expression).value(data, self.context, self.random)

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
        except paths.LeadsNowhere as error:
            raise StateFailed(PARAMETER_PATH_FAILURE, str(error)) from None


def check_expression(expression: Any) -> None:
    """Raise `InvalidDefinition` unless it is a path or the call of an intrinsic function."""
    if isinstance(expression, str) and expression.startswith("$"):
        paths.parse(expression)
    else:
        expressions.parse(expression)


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
