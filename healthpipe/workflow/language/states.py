"""What the states of each type do with their input (specification, "State Types")."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from healthpipe.asl import paths
from healthpipe.asl.choice_rules import holds
from healthpipe.workflow.language.errors import (
    NO_CHOICE_MATCHED,
    RESULT_PATH_MATCH_FAILURE,
    RUNTIME,
    StateFailed,
)
from healthpipe.workflow.language.structure import State
from healthpipe.workflow.language.templates import View
from healthpipe.workflow.language.values import is_integer, timestamp

Work = Callable[[Any], Any]


def selected(state: State, field: str, data: Any, view: View) -> Any:
    """The data as InputPath or OutputPath select it: all by default, `{}` for null."""
    path = state.get(field, "$")
    return {} if path is None else view.select(path, data)


def worked(state: State, raw: Any, view: View, work: Work) -> Any:
    """The output of a state whose work makes a result of its effective input."""
    given = selected(state, "InputPath", raw, view)
    if "Parameters" in state:
        given = view.fill(state["Parameters"], given)
    result = work(given)
    if "ResultSelector" in state:
        result = view.fill(state["ResultSelector"], result)
    return selected(state, "OutputPath", combined(state, raw, result), view)


def combined(holder: Mapping[str, Any], raw: Any, result: Any) -> Any:
    """The raw input with a result at the ResultPath of a state or a Catcher; null drops it."""
    path = holder.get("ResultPath", "$")
    try:
        return raw if path is None else paths.parse(path).put(raw, result)
    except paths.LeadsNowhere as error:
        raise StateFailed(RESULT_PATH_MATCH_FAILURE, str(error)) from None


def passed(state: State, raw: Any, view: View) -> Any:
    """The output of a Pass state."""
    return worked(state, raw, view, lambda given: state.get("Result", given))


def chosen(state: State, given: Any, view: View) -> str:
    """The state that a Choice goes to: that of the first rule that holds, else the default."""
    for rule in state["Choices"]:
        if holds(rule, given, view):
            return str(rule["Next"])
    if "Default" not in state:
        raise StateFailed(NO_CHOICE_MATCHED, "no rule holds and there is no Default")
    return str(state["Default"])


def waited(state: State, given: Any, view: View, now: datetime) -> float:
    """The seconds that a Wait takes; 0 when its moment is past."""
    seconds, moment = state.get("Seconds"), state.get("Timestamp")
    if "SecondsPath" in state:
        seconds = _whole(state["SecondsPath"], given, view, least=0)
    if "TimestampPath" in state:
        moment = view.select(state["TimestampPath"], given)
    if seconds is not None:
        return float(seconds)
    until = timestamp(moment)
    if until is None:
        raise StateFailed(RUNTIME, f"{state['TimestampPath']} leads to no timestamp")
    return max(0.0, (until - now).total_seconds())


def timeout(state: State, raw: Any, view: View) -> int | None:
    """The seconds that a Task may take; None for as long as it likes.

    Step Functions' default, 99,999,999 s, is three years; the specification's is 60 s.
    """
    if "TimeoutSecondsPath" in state:
        given = selected(state, "InputPath", raw, view)
        return _whole(state["TimeoutSecondsPath"], given, view, least=1)
    seconds: int | None = state.get("TimeoutSeconds")
    return seconds


def failure(state: State, raw: Any, view: View) -> StateFailed:
    """How a Fail state ends the machine."""
    return StateFailed(_told(state, "Error", raw, view), _told(state, "Cause", raw, view))


def _told(state: State, field: str, raw: Any, view: View) -> str:
    expression = state.get(f"{field}Path")
    if expression is None:
        return str(state.get(field, ""))
    try:
        told = view.evaluate(expression, raw)
    except paths.LeadsNowhere as error:
        raise StateFailed(RUNTIME, str(error)) from None
    if not isinstance(told, str):
        raise StateFailed(RUNTIME, f"{expression} leads to no text")
    return told


def _whole(path: str, data: Any, view: View, *, least: int) -> int:
    value = view.select(path, data)
    if not is_integer(value) or value < least:
        raise StateFailed(RUNTIME, f"{path} leads to no number of seconds")
    return int(value)
