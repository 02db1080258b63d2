"""Cases: definitions that are refused when loaded, by the clause that they break.

A clause that begins with "ours" is about what the specification allows and this interpreter does
not do.
"""

from typing import Any

from tests.asl.cases.building import (
    DONE,
    branch,
    catch,
    choice,
    machine,
    parallel,
    pass_,
    retry,
    task,
    wait,
)

SOUND = machine(task(Next="End", Catch=[catch("States.ALL", to="End")]), End=DONE)
RULE = {"Variable": "$.a", "NumericEquals": 1, "Next": "Done"}
NESTED = {"Variable": "$.a", "NumericEquals": 1}
UNKNOWN = {"Assign": {"x": 1}}
STRUCTURE = "Structure of a State Machine"
TRANSITIONS = "Transitions"
FIELDS = "State Types: the table of fields"
PATHS = "Reference Paths"
OURS = "ours: reference paths alone"
TEMPLATE = "Payload Template"
INTRINSIC = "Intrinsic Functions"
CHOICE = "Choice State"
RETRYING = "Retrying after error"
FALLBACK = "Fallback states"


def chooses(rule: Any) -> dict[str, Any]:
    return machine(choice(rule), Done=DONE)


def retries(*retriers: Any) -> dict[str, Any]:
    return machine(task(Retry=list(retriers)))


def catches(*catchers: Any) -> dict[str, Any]:
    return machine(task(Catch=list(catchers)), Rescue=DONE)


def calls(expression: Any) -> dict[str, Any]:
    return machine(task(Parameters={"x.$": expression}))


INVALID = {
    "an unknown field of the machine": (STRUCTURE, SOUND | {"Extra": 1}),
    "another version": (STRUCTURE, SOUND | {"Version": "2.0"}),
    "JSONata": ("ours: JSONPath alone", SOUND | {"QueryLanguage": "JSONata"}),
    "no StartAt": (STRUCTURE, {"States": {"First": DONE}}),
    "no States": (STRUCTURE, {"StartAt": "First"}),
    "States that are none": (STRUCTURE, {"StartAt": "First", "States": []}),
    "no state at all": (STRUCTURE, {"StartAt": "First", "States": {}}),
    "a machine that is no object": (STRUCTURE, []),
    "a state that is no object": (STRUCTURE, machine("x")),
    "StartAt leads nowhere": (STRUCTURE, SOUND | {"StartAt": "Nowhere"}),
    "StartAt that is no text": (STRUCTURE, SOUND | {"StartAt": 1}),
    "a machine without any time": (STRUCTURE, SOUND | {"TimeoutSeconds": 0}),
    "a time of a branch": (
        "Parallel State: Branches",
        machine(parallel(branch("In", DONE) | {"TimeoutSeconds": 1})),
    ),
    "a name that is too long": ("States: at most 80 characters", branch("x" * 81, DONE)),
    "two states of the same name": (
        "States: names are unique within the whole machine",
        machine(parallel(branch("First", DONE))),
    ),
    "Next leads nowhere": (TRANSITIONS, machine(task(Next="Nowhere"))),
    "Next leads out of a branch": (
        "Parallel State: Next",
        machine(parallel(branch("In", task(Next="Out"))), Out=DONE),
    ),
    "Next leads into a branch": (
        "Parallel State: Next",
        machine(parallel(branch("In", DONE), Next="In")),
    ),
    "both Next and End": (TRANSITIONS, machine(task(Next="Done", End=True), Done=DONE)),
    "neither Next nor End": (TRANSITIONS, machine({"Type": "Pass"})),
    "an End that is false": (TRANSITIONS, machine(pass_(End=False))),
    "an End that is a text": (TRANSITIONS, machine(pass_(End="true"))),
    "a Next that is null": (TRANSITIONS, machine(pass_(Next=None))),
    "no type": (FIELDS, machine({"End": True})),
    "an unknown type": (FIELDS, machine({"Type": "Activity", "End": True})),
    "a type that is a list": (FIELDS, machine({"Type": ["Pass"], "End": True})),
    "Map": (
        "ours: no Map",
        machine({"Type": "Map", "ItemProcessor": branch("In", DONE), "End": True}),
    ),
    "an unknown field of a Task": ("ours: no variables", machine(task(**UNKNOWN))),
    "an unknown field of a Parallel": (FIELDS, machine(parallel(SOUND, Extra=1))),
    "an unknown field of a Succeed": (FIELDS, machine(DONE | {"Extra": 1})),
    "Retry at a Pass": (FIELDS, machine(pass_(Retry=[retry("E")]))),
    "Catch at a Wait": (FIELDS, machine(wait(Seconds=1, Catch=[catch("E", to="First")]))),
    "Parameters at a Wait": (FIELDS, machine(wait(Seconds=1, Parameters={}))),
    "ResultPath at a Choice": (FIELDS, machine(choice(RULE, ResultPath="$"), Done=DONE)),
    "ResultSelector at a Pass": (FIELDS, machine(pass_(ResultSelector={}))),
    "Result at a Task": (FIELDS, machine(task(Result=1))),
    "TimeoutSeconds at a Parallel": (
        FIELDS,
        machine(parallel(branch("In", DONE), TimeoutSeconds=1)),
    ),
    "End at a Succeed": (FIELDS, machine(DONE | {"End": True})),
    "Next at a Fail": (FIELDS, machine({"Type": "Fail", "Next": "First"})),
    "Next at a Choice": (FIELDS, machine(choice(RULE, Next="Done"), Done=DONE)),
    "End at a Choice": (
        "Choice State: MUST NOT be an End state",
        machine(choice(RULE, End=True), Done=DONE),
    ),
    "InputPath at a Fail": (FIELDS, machine({"Type": "Fail", "InputPath": "$"})),
    "HeartbeatSeconds": (
        "ours: no heartbeats",
        machine(task(TimeoutSeconds=9, HeartbeatSeconds=1)),
    ),
    "HeartbeatSecondsPath": ("ours: no heartbeats", machine(task(HeartbeatSecondsPath="$.h"))),
    "a Task without Resource": ("Task State: Resource", machine({"Type": "Task", "End": True})),
    "a Resource that is no text": ("Task State: Resource", machine(task(Resource=1))),
    "no time for a Task": ("Task State: TimeoutSeconds", machine(task(TimeoutSeconds=0))),
    "half a second for a Task": ("Task State: TimeoutSeconds", machine(task(TimeoutSeconds=0.5))),
    "two times for a Task": (
        "Task State: TimeoutSecondsPath",
        machine(task(TimeoutSeconds=1, TimeoutSecondsPath="$.t")),
    ),
    "a Parallel without Branches": (
        "Parallel State: Branches",
        machine({"Type": "Parallel", "End": True}),
    ),
    "Branches that are none": ("Parallel State: Branches", machine(parallel())),
    "a branch without StartAt": (
        "Parallel State: Branches",
        machine(parallel({"States": {"In": DONE}})),
    ),
    "a Wait for nothing": ("Wait State: exactly one", machine(wait())),
    "a Wait for two things": (
        "Wait State: exactly one",
        machine(wait(Seconds=1, SecondsPath="$.s")),
    ),
    "a Wait for less than nothing": ("Wait State: Seconds", machine(wait(Seconds=-1))),
    "a Wait for a text": ("Wait State: Seconds", machine(wait(Seconds="1"))),
    "a Wait until no moment": ("Timestamps", machine(wait(Timestamp="2016-03-14"))),
    "a Wait until a small t": ("Timestamps", machine(wait(Timestamp="2016-03-14t01:59:00Z"))),
    "a Wait until a moment without zone": (
        "Timestamps",
        machine(wait(Timestamp="2016-03-14T01:59:00")),
    ),
    "both Error and ErrorPath": (
        "Fail State: ErrorPath",
        machine({"Type": "Fail", "Error": "E", "ErrorPath": "$.e"}),
    ),
    "both Cause and CausePath": (
        "Fail State: CausePath",
        machine({"Type": "Fail", "Cause": "c", "CausePath": "$.c"}),
    ),
    "an Error that is no text": ("Fail State: Error", machine({"Type": "Fail", "Error": 1})),
    "an Error of the reserved names": (
        "Error representation: MUST NOT begin with States.",
        machine({"Type": "Fail", "Error": "States.Mine"}),
    ),
    "a Choice without Choices": (CHOICE, machine({"Type": "Choice", "Default": "Done"}, Done=DONE)),
    "a Choice with no choices": (CHOICE, machine(choice(Default="Done"), Done=DONE)),
    "a Default that leads nowhere": (CHOICE, machine(choice(RULE, Default="Nowhere"), Done=DONE)),
    "a rule that leads nowhere": (CHOICE, machine(choice(RULE | {"Next": "Nowhere"}), Done=DONE)),
    "a rule without Next": (CHOICE, chooses(NESTED)),
    "a nested rule with Next": (CHOICE, chooses({"Not": RULE, "Next": "Done"})),
    "a rule in And with Next": (CHOICE, chooses({"And": [RULE], "Next": "Done"})),
    "an empty And": (CHOICE, chooses({"And": [], "Next": "Done"})),
    "an Or that is no list": (CHOICE, chooses({"Or": NESTED, "Next": "Done"})),
    "a Not of a list": (CHOICE, chooses({"Not": [NESTED], "Next": "Done"})),
    "a rule without Variable": (CHOICE, chooses({"NumericEquals": 1, "Next": "Done"})),
    "a rule without operator": (CHOICE, chooses({"Variable": "$.a", "Next": "Done"})),
    "a rule with two operators": (CHOICE, chooses(RULE | {"IsNumeric": True})),
    "a rule with an unknown operator": (CHOICE, chooses(RULE | {"NumericNotEquals": 1})),
    "a Variable beside Not": (CHOICE, chooses({"Not": NESTED, "Variable": "$.a", "Next": "Done"})),
    "a text compared as a number": (CHOICE, chooses(RULE | {"NumericEquals": "1"})),
    "true compared as a number": (CHOICE, chooses(RULE | {"NumericEquals": True})),
    "a day compared as a timestamp": (
        CHOICE,
        chooses({"Variable": "$.a", "TimestampEquals": "2016-03-14", "Next": "Done"}),
    ),
    "a type test of a text": (
        CHOICE,
        chooses({"Variable": "$.a", "IsNull": "true", "Next": "Done"}),
    ),
    "a comparison with no path": (
        CHOICE,
        chooses({"Variable": "$.a", "NumericEqualsPath": "a", "Next": "Done"}),
    ),
    "a pattern with an open escape": (
        CHOICE,
        chooses({"Variable": "$.a", "StringMatches": "a\\", "Next": "Done"}),
    ),
    "a pattern that escapes a letter": (
        CHOICE,
        chooses({"Variable": "$.a", "StringMatches": r"\a", "Next": "Done"}),
    ),
    "Retry that is no list": (RETRYING, machine(task(Retry={}))),
    "a Retrier without ErrorEquals": (RETRYING, retries({"MaxAttempts": 1})),
    "a Retrier of no errors": (RETRYING, retries(retry())),
    "a Retrier of a number": (RETRYING, retries(retry(1))),
    "a Retrier of an unknown reserved error": (
        "Error representation",
        retries(retry("States.Mine")),
    ),
    "an error that nothing retries": (
        "ours: Step Functions ends an execution with States.Runtime always",
        retries(retry("States.Runtime")),
    ),
    "an error that nothing catches": (
        "ours: Step Functions ends an execution with States.DataLimitExceeded always",
        catches(catch("States.DataLimitExceeded")),
    ),
    "an unknown field of a Retrier": (RETRYING, retries(retry("E", Extra=1))),
    "States.ALL beside another": (RETRYING, retries(retry("States.ALL", "E"))),
    "States.ALL before another": (RETRYING, retries(retry("States.ALL"), retry("E"))),
    "an interval of 0": (RETRYING, retries(retry("E", IntervalSeconds=0))),
    "an interval of half a second": (RETRYING, retries(retry("E", IntervalSeconds=0.5))),
    "attempts below 0": (RETRYING, retries(retry("E", MaxAttempts=-1))),
    "attempts of a boolean": (RETRYING, retries(retry("E", MaxAttempts=True))),
    "a rate below 1": (RETRYING, retries(retry("E", BackoffRate=0.9))),
    "a delay of 0": (RETRYING, retries(retry("E", MaxDelaySeconds=0))),
    "an unknown jitter": (
        "ours: Step Functions' FULL and NONE alone",
        retries(retry("E", JitterStrategy="HALF")),
    ),
    "Catch leads nowhere": (FALLBACK, machine(task(Catch=[catch("E", to="Nowhere")]))),
    "Catch without Next": (FALLBACK, catches({"ErrorEquals": ["E"]})),
    "Catch without ErrorEquals": (FALLBACK, catches({"Next": "Rescue"})),
    "Catch leads out of a branch": (
        "Parallel State: Next",
        machine(parallel(branch("In", task(Catch=[catch("E")]))), Rescue=DONE),
    ),
    "an unknown field of a Catch": (FALLBACK, catches(catch("E", **UNKNOWN))),
    "States.ALL caught before another": (FALLBACK, catches(catch("States.ALL"), catch("E"))),
    "States.ALL caught beside another": (FALLBACK, catches(catch("States.ALL", "E"))),
    "Parameters that are no object": (TEMPLATE, machine(task(Parameters=7))),
    "a parameter that is no path": (TEMPLATE, calls("no path")),
    "a parameter that is a number": (TEMPLATE, calls(7)),
    "a parameter twice": (TEMPLATE, machine(task(Parameters={"x": 1, "x.$": "$"}))),
    "a deep parameter that is no path": (TEMPLATE, machine(task(Parameters={"l": [{"x.$": "x"}]}))),
    "a ResultSelector that is no object": (TEMPLATE, machine(task(ResultSelector=[]))),
    "a ResultPath into the context object": (
        "ResultPath MUST NOT begin with $$",
        machine(task(ResultPath="$$.a")),
    ),
    "a Catch into the context object": (
        "ResultPath MUST NOT begin with $$",
        catches(catch("E", ResultPath="$$.a")),
    ),
    "an unknown function": (INTRINSIC, calls("States.Now()")),
    "a function without States": (INTRINSIC, calls("Format('{}', 1)")),
    "a function that is not closed": (INTRINSIC, calls("States.Array(1, 2")),
    "a function with something after it": (INTRINSIC, calls("States.Array(1) x")),
    "arguments without a comma": (INTRINSIC, calls("States.Array(1 2)")),
    "a comma too many": (INTRINSIC, calls("States.Array(1,)")),
    "an argument of double quotes": (INTRINSIC, calls('States.Array("a")')),
    "a text that is not closed": (INTRINSIC, calls("States.Array('a)")),
    "an open escape": (INTRINSIC, calls(r"States.Array('\a')")),
    "a brace that is not escaped": (INTRINSIC, calls("States.Array('{')")),
    "an argument too few": ("Appendix B: States.MathAdd", calls("States.MathAdd(1)")),
    "an argument too many": ("Appendix B: States.UUID", calls("States.UUID(1)")),
    "a place without a value": ("Appendix B: States.Format", calls("States.Format('{}{}', 1)")),
    "a value without a place": ("Appendix B: States.Format", calls("States.Format('', 1)")),
    "a path of a function with a wildcard": (OURS, calls("States.Array($.a[*])")),
} | {
    f"{field} {path!r}": (
        OURS
        if path in ("$.a[*]", "$..a", "$.a[0:1]", "$.a[?(@.b)]", "$.a[-1]", "$.*", "$.a,b")
        else PATHS,
        machine(task(**{field: path}))
        if field != "Catch"
        else catches(catch("E", ResultPath=path)),
    )
    for path in (
        "",
        "name",
        "$.",
        "$a",
        "$.a.",
        "$[",
        "$.a[x]",
        "$['a]",
        "$ .a",
        "$.a[*]",
        "$..a",
        "$.a[0:1]",
        "$.a[?(@.b)]",
        "$.a[-1]",
        "$.*",
        "$.a,b",
        7,
        ["$"],
    )
    for field in ("InputPath", "ResultPath", "OutputPath", "Catch")
}
