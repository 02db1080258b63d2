"""Where moto's Step Functions does otherwise than the clause of the case says.

By what moto does: the cases where it does so. Their clauses settle who is right.
"""

from tests.asl.cases import intrinsics

_RUNS = {
    "makes a list of what a path finds behind an index": [
        "data: InputPath $.list[2].x",
        "data: Parameters with $.list[2].x",
        "data: Parallel filters",
    ],
    "does not know States.ParameterPathFailure": [
        "data: a parameter $.missing leads nowhere",
        "data: a parameter $.a.b.c leads nowhere",
        "data: a parameter $.list[3] leads nowhere",
        "data: a parameter $.text[0] leads nowhere",
        "data: a parameter $.list.x leads nowhere",
        "data: ResultSelector sees the result alone",
        "functions: a path in a function leads nowhere",
        "errors: a parameter that leads nowhere is caught",
        "flow: the context object has no such field",
    ],
    "does not know States.ResultPathMatchFailure": [
        "data: ResultPath has no place in a text",
        "data: ResultPath has no place in a list",
        "data: ResultPath has no place in a number on its way",
        "errors: a result without a place is caught",
        "errors: an error output without a place fails the machine",
    ],
    "makes a list longer for a ResultPath": [
        "data: ResultPath has no place behind the end of a list",
    ],
    "does not know States.IntrinsicFailure": [
        *(f"functions: {expression} fails" for expression in intrinsics.FAILS),
        "errors: a function that fails is caught",
    ],
    "does not know States.NoChoiceMatched": [
        "choices: no rule holds and there is no Default",
        "errors: a Choice without match in a branch is caught",
    ],
    "does not know States.BranchFailed": [
        "errors: States.BranchFailed names every failure of a branch",
    ],
    "does not undo the escapes of a function's texts": [
        r"functions: States.Format('\{\} {}', $.n)",
        r"functions: States.Format('{}\'s', $.name)",
        r"functions: States.Format('a\\{}', $.n)",
    ],
    "drops a null argument": ["functions: States.Array('a', 1, $.n, null)"],
    "refuses an argument with decimals": ["functions: States.Array(States.Array($.n), -2.5)"],
    "takes true for 1": ["functions: States.ArrayContains($.list, true)"],
    "counts upwards alone": ["functions: States.ArrayRange(3, 1, -1)"],
    "does not undo the escapes of a pattern": [
        r"choices: 'a*b' matches 'a\\*b'",
        r"choices: 'a\\b' matches 'a\\\\b'",
    ],
    "fails when values of different types are compared": [
        "choices: values of different types compare false",
    ],
    "does not know time zone offsets": [
        "choices: the same moment in two zones is equal",
        "choices: a moment with an offset is a timestamp",
    ],
    "applies TimeoutSecondsPath to the raw input": [
        "errors: a timeout at a path of what InputPath selects",
    ],
    "takes a time of 0 at a path": ["errors: a timeout of no time"],
    "gives a time that is no number a name of its own": ["errors: a timeout that is no number"],
    "refuses an End that is false": ["flow: End may be false beside a Next"],
}
RUNS = {case: does for does, cases in _RUNS.items() for case in cases}

_ACCEPTS = {
    "does not look for targets": [
        "StartAt leads nowhere",
        "Next leads nowhere",
        "Next leads out of a branch",
        "Next leads into a branch",
        "neither Next nor End",
        "an End that is false",
        "a Default that leads nowhere",
        "a rule that leads nowhere",
        "a rule without Next",
        "Catch leads nowhere",
        "Catch leads out of a branch",
    ],
    "does not look at names": ["a name that is too long", "two states of the same name"],
    "takes fields of other states": [
        "a time of a branch",
        "Retry at a Pass",
        "Catch at a Wait",
        "Parameters at a Wait",
        "ResultPath at a Choice",
        "ResultSelector at a Pass",
        "Result at a Task",
        "TimeoutSeconds at a Parallel",
        "Next at a Fail",
        "InputPath at a Fail",
        "a nested rule with Next",
        "a rule in And with Next",
        "an unknown field of a Catch",
    ],
    "does not look at values": [
        "a machine without any time",
        "no time for a Task",
        "an Error of the reserved names",
        "a Choice without Choices",
        "an Or that is no list",
        "a Not of a list",
        "a text compared as a number",
        "true compared as a number",
        "a day compared as a timestamp",
        "a type test of a text",
        "a comparison with no path",
        "a pattern with an open escape",
        "a pattern that escapes a letter",
    ],
    "takes States.ALL anywhere": [
        "States.ALL before another",
        "States.ALL caught before another",
    ],
    "does not look into templates": [
        "a parameter that is no path",
        "a parameter that is a number",
        "a parameter twice",
        "a deep parameter that is no path",
        "a function without States",
        "a function that is not closed",
        "a function with something after it",
        "arguments without a comma",
        "a comma too many",
        "an argument of double quotes",
        "a text that is not closed",
        "an open escape",
        "a brace that is not escaped",
        "a place without a value",
        "a value without a place",
    ],
    "does not look into paths": [
        *(
            f"{field} {path!r}"
            for path in ("$.", "$.a.", "$[", "$.a[x]", "$['a]")
            for field in ("InputPath", "ResultPath", "OutputPath", "Catch")
        ),
        "InputPath '$a'",
        "OutputPath '$a'",
    ],
}
ACCEPTS = {case: does for does, cases in _ACCEPTS.items() for case in cases}
