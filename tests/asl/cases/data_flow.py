"""Cases: how data goes into a state, through it and out of it."""

from tests.asl.cases.building import (
    DONE,
    Case,
    Returns,
    branch,
    choice,
    machine,
    parallel,
    pass_,
    task,
    wait,
)

PATHS = "Reference Paths"
TEMPLATE = "Payload Template"
IO = "Using InputPath, Parameters, ResultSelector, ResultPath and OutputPath"
DEFAULTS = "Defaults"
RUNTIME = "Runtime Errors; Step Functions, error handling: States.Runtime"
IN = {"a": {"b": 1, "c-d": {"e f": True}}, "list": [10, [20, 21], {"x": 30}], "text": "t"}


def given(clause, parameters, argument, data=IN, **more):
    """A task that returns its argument."""
    return Case(clause, machine(task("echo", Parameters=parameters)), data, argument, **more)


def selects(path, value):
    """A path that leads to a value, as InputPath and in Parameters."""
    return {
        f"InputPath {path}": Case(PATHS, machine(task("echo", InputPath=path)), IN, value),
        f"Parameters with {path}": given(TEMPLATE, {"x.$": path}, {"x": value}),
    }


def lost(path):
    """A path that leads nowhere: InputPath, OutputPath and Parameters fail the state."""
    return {
        f"InputPath {path} leads nowhere": Case(
            RUNTIME, machine(task("echo", InputPath=path)), IN, error="States.Runtime"
        ),
        f"OutputPath {path} leads nowhere": Case(
            RUNTIME, machine(task("echo", OutputPath=path)), IN, error="States.Runtime"
        ),
        f"a parameter {path} leads nowhere": Case(
            TEMPLATE,
            machine(task("echo", Parameters={"x.$": path})),
            IN,
            error="States.ParameterPathFailure",
        ),
    }


def kept(path, output, data=None, **more):
    """Where ResultPath puts 42."""
    data = {"a": {"b": 1}, "l": [1, 2]} if data is None else data
    return Case(IO, machine(task(ResultPath=path, **more)), data, output)


def misplaced(path, data):
    return Case(
        "Runtime Errors: ResultPath cannot apply",
        machine(task(ResultPath=path)),
        data,
        error="States.ResultPathMatchFailure",
    )


CASES = {
    **selects("$", IN),
    **selects("$.a", IN["a"]),
    **selects("$.a.b", 1),
    **selects("$.list", IN["list"]),
    **selects("$.list[0]", 10),
    **selects("$.list[1][0]", 20),
    **selects("$.list[2].x", 30),
    **selects("$['a']['b']", 1),
    **selects("$['a'].b", 1),
    **selects("$.a['c-d']['e f']", True),
    **lost("$.missing"),
    **lost("$.a.b.c"),
    **lost("$.list[3]"),
    **lost("$.text[0]"),
    **lost("$.list.x"),
    "without Parameters a task gets the whole input": Case(DEFAULTS, machine(task("echo")), IN, IN),
    "an input that is no object": Case(
        "Data", machine(task("echo")), [1, None, "x"], [1, None, "x"]
    ),
    "InputPath null is an empty object": Case(IO, machine(task("echo", InputPath=None)), IN, {}),
    "OutputPath null is an empty object": Case(IO, machine(task("echo", OutputPath=None)), IN, {}),
    "OutputPath selects of the output": Case(IO, machine(task("echo", OutputPath="$.a.b")), IN, 1),
    "empty Parameters are an empty object": given(TEMPLATE, {}, {}),
    "plain fields are literal": given(TEMPLATE, {"x": "$.a", "n": 1}, {"x": "$.a", "n": 1}),
    "only names that end in .$ are paths": given(TEMPLATE, {"fee$": "$.a"}, {"fee$": "$.a"}),
    "objects are filled inside": given(TEMPLATE, {"o": {"x.$": "$.a.b"}}, {"o": {"x": 1}}),
    "lists are filled inside": given(TEMPLATE, {"l": [{"x.$": "$.text"}]}, {"l": [{"x": "t"}]}),
    "lists in lists are filled inside": given(
        TEMPLATE, {"l": [[{"x.$": "$.text"}], 1]}, {"l": [[{"x": "t"}], 1]}
    ),
    "Parameters see what InputPath selected": Case(
        IO, machine(task("echo", InputPath="$.a", Parameters={"x.$": "$.b"})), IN, {"x": 1}
    ),
    "a null in the data is a value": given(TEMPLATE, {"x.$": "$.n"}, {"x": None}, {"n": None}),
    "ResultSelector reshapes the result": Case(
        IO,
        machine(task(ResultSelector={"n.$": "$.y.z", "w": 1}, ResultPath="$.r")),
        {"a": 1},
        {"a": 1, "r": {"n": 2, "w": 1}},
        tasks={"answer": [Returns({"y": {"z": 2}})]},
    ),
    "ResultSelector sees the result alone": Case(
        IO,
        machine(task(ResultSelector={"n.$": "$.a"})),
        {"a": 1},
        error="States.ParameterPathFailure",
        tasks={"answer": [Returns({"y": 1})]},
    ),
    "without ResultPath the result replaces the input": kept("$", 42),
    "no ResultPath at all": Case(DEFAULTS, machine(task()), {"a": 1}, 42),
    "ResultPath null keeps the raw input": kept(None, {"a": {"b": 1}, "l": [1, 2]}),
    "ResultPath adds to the input": kept("$.r", {"a": {"b": 1}, "l": [1, 2], "r": 42}),
    "ResultPath replaces a field": kept("$.a", {"a": 42, "l": [1, 2]}),
    "ResultPath replaces a deep field": kept("$.a.b", {"a": {"b": 42}, "l": [1, 2]}),
    "ResultPath adds beside a deep field": kept("$.a.c", {"a": {"b": 1, "c": 42}, "l": [1, 2]}),
    "ResultPath makes the objects on its way": kept(
        "$.x.y.z", {"a": {"b": 1}, "l": [1, 2], "x": {"y": {"z": 42}}}
    ),
    "ResultPath in brackets": kept("$['x y']", {"a": {"b": 1}, "l": [1, 2], "x y": 42}),
    "ResultPath replaces an item": kept("$.l[1]", {"a": {"b": 1}, "l": [1, 42]}),
    "ResultPath $ replaces a text": kept("$", 42, "foo"),
    "ResultPath null keeps a text": kept(None, "foo", "foo"),
    "ResultPath adds to the raw input, not to what InputPath selected": kept(
        "$.r", {"a": {"b": 1}, "r": 42}, {"a": {"b": 1}}, InputPath="$.a"
    ),
    "OutputPath selects after ResultPath": kept("$.r", 42, {"a": 1}, OutputPath="$.r"),
    "ResultPath has no place in a text": misplaced("$.x", "foo"),
    "ResultPath has no place in a list": misplaced("$.x", [1]),
    "ResultPath has no place in a number on its way": misplaced("$.a.b", {"a": 1}),
    "ResultPath has no place behind the end of a list": misplaced("$.l[2]", {"l": [1, 2]}),
    "Pass hands on its input": Case("Pass State", machine(pass_()), IN, IN),
    "Pass gives its Result": Case("Pass State", machine(pass_(Result={"x": [1]})), IN, {"x": [1]}),
    "Pass puts its Result": Case(
        "Pass State",
        machine(pass_(Result=7, ResultPath="$.r.s")),
        {"a": 1},
        {"a": 1, "r": {"s": 7}},
    ),
    "Pass gives a Result that is null": Case(
        "Pass State", machine(pass_(Result=None, ResultPath="$.r")), {"a": 1}, {"a": 1, "r": None}
    ),
    "a Result is literal": Case(
        "Pass State", machine(pass_(Result={"x.$": "$.a"})), IN, {"x.$": "$.a"}
    ),
    "Pass fills its Parameters": Case(
        "Pass State",
        machine(pass_(Parameters={"x.$": "$.a.b"}, ResultPath="$.p")),
        {"a": {"b": 1}},
        {"a": {"b": 1}, "p": {"x": 1}},
    ),
    "Pass puts its filtered input": Case(
        "Pass State",
        machine(pass_(InputPath="$.a", ResultPath="$.p")),
        {"a": 1},
        {"a": 1, "p": 1},
    ),
    "Succeed filters": Case(
        "Succeed State",
        machine({"Type": "Succeed", "InputPath": "$.a", "OutputPath": "$.b"}),
        IN,
        1,
    ),
    "Wait filters": Case(
        "Wait State", machine(wait(Seconds=1, InputPath="$.a", OutputPath="$.b")), IN, 1
    ),
    "Choice filters": Case(
        "Choice State",
        machine(
            choice(
                {"Variable": "$.b", "NumericEquals": 1, "Next": "Done"},
                InputPath="$.a",
                OutputPath="$.b",
            ),
            Done=DONE,
        ),
        {"a": {"b": 1}},
        1,
        path=("First", "Done"),
    ),
    "Parallel filters": Case(
        "Parallel State",
        machine(
            parallel(
                branch("One", task("echo")),
                InputPath="$.a",
                Parameters={"y.$": "$.b"},
                ResultSelector={"first.$": "$[0].y"},
                ResultPath="$.r",
                OutputPath="$.r",
            )
        ),
        IN,
        {"first": 1},
        path=("First", "One"),
    ),
    "states hand on their output": Case(
        "Transitions",
        machine(
            task(Next="Second", ResultPath="$.one"),
            Second=task("echo", Next="Third", Parameters={"got.$": "$.one"}),
            Third=DONE,
        ),
        {"kept": 0},
        {"got": 42},
        path=("First", "Second", "Third"),
    ),
}
