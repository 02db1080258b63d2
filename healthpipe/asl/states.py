"""What states of each type do with their input (specification, "State Types").

The functions compute outputs, delays, timeouts and errors from a state's definition and its data;
`interpreter` runs them. "Raw input" is what a state is entered with, "effective input" what
InputPath and Parameters make of it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from healthpipe.asl import paths
from healthpipe.asl.choice_rules import rule_matches
from healthpipe.asl.definition import State
from healthpipe.asl.errors import (
    NO_CHOICE_MATCHED,
    RESULT_PATH_MATCH_FAILURE,
    RUNTIME,
    StateFailed,
    find_catcher,
)
from healthpipe.asl.expressions import EvaluationContext
from healthpipe.asl.paths import is_integer, parse_timestamp


def select_path(state: State, field: str, data: Any, evaluation: EvaluationContext) -> Any:
    """Apply InputPath or OutputPath to data: all of it without one, `{}` for null."""
    path = state.get(field, "$")
    return {} if path is None else evaluation.select(path, data)


def process_input_output(
    state: State,
    raw_input: Any,
    evaluation: EvaluationContext,
    compute_result: Callable[[Any], Any],
) -> Any:
    """Compute a state's output from the result that a function makes of its effective input.

    In the specification's order: InputPath, Parameters, the result, ResultSelector, ResultPath,
    OutputPath. Raises `StateFailed`.
    """
    effective_input = select_path(state, "InputPath", raw_input, evaluation)
    if "Parameters" in state:
        effective_input = evaluation.fill_template(state["Parameters"], effective_input)
    result = compute_result(effective_input)
    if "ResultSelector" in state:
        result = evaluation.fill_template(state["ResultSelector"], result)
    combined = apply_result_path(state, raw_input, result)
    return select_path(state, "OutputPath", combined, evaluation)


def apply_result_path(owner: Mapping[str, Any], raw_input: Any, result: Any) -> Any:
    """Put a result into the raw input at the ResultPath of a state or a Catcher; null drops it.

    Raises `StateFailed` with `States.ResultPathMatchFailure`.
    """
    path = owner.get("ResultPath", "$")
    try:
        return raw_input if path is None else paths.parse(path).put(raw_input, result)
    except paths.PathNotFound as error:
        raise StateFailed(RESULT_PATH_MATCH_FAILURE, str(error)) from None


def pass_output(state: State, raw_input: Any, evaluation: EvaluationContext) -> Any:
    """Return the output of a Pass state."""
    return process_input_output(
        state, raw_input, evaluation, lambda effective_input: state.get("Result", effective_input)
    )


def choose_next(state: State, effective_input: Any, evaluation: EvaluationContext) -> str:
    """Return the state that a Choice goes to: of the first rule that matches, else the Default.

    Raises `StateFailed` with `States.NoChoiceMatched`.
    """
    for rule in state["Choices"]:
        if rule_matches(rule, effective_input, evaluation):
            return str(rule["Next"])
    if "Default" not in state:
        raise StateFailed(NO_CHOICE_MATCHED, "no rule holds and there is no Default")
    return str(state["Default"])


def wait_seconds(
    state: State, effective_input: Any, evaluation: EvaluationContext, now: datetime
) -> float:
    """Return the seconds that a Wait state takes; 0 when its timestamp is past."""
    seconds, timestamp = state.get("Seconds"), state.get("Timestamp")
    if "SecondsPath" in state:
        seconds = _seconds_at(state["SecondsPath"], effective_input, evaluation, minimum=0)
    if "TimestampPath" in state:
        timestamp = evaluation.select(state["TimestampPath"], effective_input)
    if seconds is not None:
        return float(seconds)
    until = parse_timestamp(timestamp)
    if until is None:
        raise StateFailed(RUNTIME, f"{state['TimestampPath']} leads to no timestamp")
    return max(0.0, (until - now).total_seconds())


def task_timeout(state: State, raw_input: Any, evaluation: EvaluationContext) -> int | None:
    """Return the timeout of a Task in seconds; None where it has none.

    Step Functions' default, 99,999,999 s, is three years; the specification's is 60 s.
    """
    if "TimeoutSecondsPath" in state:
        effective_input = select_path(state, "InputPath", raw_input, evaluation)
        return _seconds_at(state["TimeoutSecondsPath"], effective_input, evaluation, minimum=1)
    seconds: int | None = state.get("TimeoutSeconds")
    return seconds


def fail_state_error(state: State, raw_input: Any, evaluation: EvaluationContext) -> StateFailed:
    """Create the error that a Fail state ends the machine with."""
    return StateFailed(
        _fail_text(state, "Error", raw_input, evaluation),
        _fail_text(state, "Cause", raw_input, evaluation),
    )


def catch_failure(name: str, state: State, raw_input: Any, failure: StateFailed) -> tuple[Any, str]:
    """Return the output of the first Catcher that matches a failure, and the state it goes to.

    Raises the failure if no Catcher matches.
    """
    catcher = find_catcher(state, failure)
    if catcher is None:
        raise failure
    try:
        return apply_result_path(catcher, raw_input, failure.error_output()), catcher["Next"]
    except StateFailed as path_failure:
        path_failure.state = name
        raise


def _fail_text(state: State, field: str, raw_input: Any, evaluation: EvaluationContext) -> str:
    """Return Error or Cause of a Fail state, or what ErrorPath or CausePath evaluates to."""
    expression = state.get(f"{field}Path")
    if expression is None:
        return str(state.get(field, ""))
    try:
        text = evaluation.evaluate(expression, raw_input)
    except paths.PathNotFound as error:
        raise StateFailed(RUNTIME, str(error)) from None
    if not isinstance(text, str):
        raise StateFailed(RUNTIME, f"{expression} leads to no text")
    return text


def _seconds_at(path: str, data: Any, evaluation: EvaluationContext, *, minimum: int) -> int:
    value = evaluation.select(path, data)
    if not is_integer(value) or value < minimum:
        raise StateFailed(RUNTIME, f"{path} leads to no number of seconds")
    return int(value)
