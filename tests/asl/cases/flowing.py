"""Cases: waiting, branches and the context object."""

from tests.asl.cases.building import (
    DONE,
    START,
    Case,
    Fails,
    Returns,
    branch,
    catch,
    choice,
    machine,
    parallel,
    pass_,
    task,
    wait,
)

WAIT = "Wait State"
PARALLEL = "Parallel State"
CONTEXT = "The Context Object"


def waits(seconds, data=None, **fields):
    data = data or {}
    return Case(WAIT, machine(wait(**fields)), data, data, delays=(seconds,))


def until(seconds, data=None, **fields):
    case = waits(seconds, data, **fields)
    return Case(case.clause, case.machine, case.data, case.output, delays=case.delays,
                ours="it is 2026-11-20T06:00:00Z on our clock")  # fmt: skip


def stays(data, **fields):
    return Case(f"{WAIT}; States.Runtime", machine(wait(**fields)), data, error="States.Runtime")


def sees(path, value, **more):
    parameters = {"x.$": path}
    return Case(
        CONTEXT, machine(task("echo", Parameters=parameters)), {"a": 1}, {"x": value}, **more
    )


CASES = {
    "Wait for seconds": waits(10.0, Seconds=10),
    "Wait for no time": waits(0.0, Seconds=0),
    "Wait for seconds at a path": waits(5.0, {"s": 5}, SecondsPath="$.s"),
    "Wait until a moment": until(60.0, Timestamp="2026-11-20T06:01:00Z"),
    "Wait until a moment in another zone": until(60.0, Timestamp="2026-11-20T07:01:00+01:00"),
    "Wait until a moment that is past": until(0.0, Timestamp="2016-03-14T01:59:00Z"),
    "Wait until a moment at a path": until(
        0.5, {"t": "2026-11-20T06:00:00.5Z"}, TimestampPath="$.t"
    ),
    "Wait for seconds that are not there": stays({}, SecondsPath="$.s"),
    "Wait for seconds that are no number": stays({"s": "5"}, SecondsPath="$.s"),
    "Wait for less than no time": stays({"s": -1}, SecondsPath="$.s"),
    "Wait until a moment that is not there": stays({}, TimestampPath="$.t"),
    "Wait until what is no moment": stays({"t": "tomorrow"}, TimestampPath="$.t"),
    "Wait in a loop": Case(
        WAIT,
        machine(
            task("status", ResultPath="$.step", Next="Look"),
            Look=choice(
                {"Variable": "$.step", "StringEquals": "RUNNING", "Next": "Pause"}, Default="Done"
            ),
            Pause=wait(Seconds=5, Next="First"),
            Done=DONE,
        ),
        {},
        {"step": "DONE"},
        path=("First", "Look", "Pause", "First", "Look", "Done"),
        delays=(5.0,),
        tasks={"status": [Returns("RUNNING"), Returns("DONE")]},
    ),
    "branches answer in their order": Case(
        PARALLEL,
        machine(
            parallel(
                branch("One", pass_(Result=1)),
                branch("Two", pass_(Result="x")),
                branch("Three", pass_(Next="Four"), Four=task("echo")),
            )
        ),
        {"a": 1},
        [1, "x", {"a": 1}],
        path=("First", "One", "Two", "Three", "Four"),
    ),
    "the result of branches has a place": Case(
        PARALLEL,
        machine(parallel(branch("One", pass_(Result=1)), ResultPath="$.r")),
        {"a": 1},
        {"a": 1, "r": [1]},
        path=("First", "One"),
    ),
    "a Succeed ends its own branch alone": Case(
        PARALLEL,
        machine(parallel(branch("One", DONE), branch("Two", pass_(Result=2))), After=DONE)
        | {"StartAt": "First"},
        1,
        [1, 2],
        path=("First", "One", "Two"),
    ),
    "branches in branches": Case(
        PARALLEL,
        machine(
            parallel(branch("One", parallel(branch("Deep", task("echo")))), Next="Done"), Done=DONE
        ),
        1,
        [[1]],
        path=("First", "One", "Deep", "Done"),
    ),
    "a branch that fails stops a wait": Case(
        PARALLEL,
        machine(
            parallel(
                branch("Quick", task("fail", Catch=[catch("Never", to="Quick")])),
                branch(
                    "Slow",
                    wait(Seconds=99),
                ),
            )
        ),
        {},
        error="Transient",
        path=("First", "Quick", "Slow"),
        ours="whether the second branch has begun when the first fails",
    ),
    "a branch that fails stops a task": Case(
        PARALLEL,
        machine(
            parallel(
                branch("Quick", wait(Seconds=1, Next="Bad"), Bad=task("bad")),
                branch("Slow", task("hang", Next="Later"), Later=DONE),
            )
        ),
        {},
        error="Bug",
        path=("First", "Quick", "Slow", "Bad"),
        tasks={"bad": [Fails("Bug")]},
        ours="whether the second branch has begun when the first fails",
    ),
    "the name of the execution": sees("$$.Execution.Name", "nightly"),
    "the input of the execution": sees("$$.Execution.Input", {"a": 1}),
    "a part of the input of the execution": sees("$$.Execution.Input.a", 1),
    "the name of the state": sees("$$.State.Name", "First"),
    "no retries": sees("$$.State.RetryCount", 0),
    "the id of the execution": sees("$$.Execution.Id", "run-7", ours="moto makes an ARN"),
    "the start of the execution": sees(
        "$$.Execution.StartTime", START, ours="it is 2026-11-20T06:00:00Z on our clock"
    ),
    "the moment a state was entered": Case(
        CONTEXT,
        machine(
            wait(Seconds=61, Next="Second"),
            Second=pass_(Parameters={"x.$": "$$.State.EnteredTime"}),
        ),
        {},
        {"x": "2026-11-20T06:01:01.000Z"},
        path=("First", "Second"),
        ours="it is 2026-11-20T06:00:00Z on our clock",
    ),
    "the context object as InputPath": Case(
        CONTEXT, machine(pass_(InputPath="$$.Execution.Input.a")), {"a": {"b": 1}}, {"b": 1}
    ),
    "the context object has no such field": Case(
        "Payload Template",
        machine(task("echo", Parameters={"x.$": "$$.Nothing"})),
        {},
        error="States.ParameterPathFailure",
    ),
    "the machine may tell its version": Case(
        "Structure of a State Machine: Version", machine(pass_()) | {"Version": "1.0"}, 1, 1
    ),
    "comments change nothing": Case(
        "Comment fields",
        machine(
            choice(
                {"Variable": "$", "NumericEquals": 1, "Next": "Second", "Comment": "c"}, Comment="c"
            ),
            Second=task(
                "fail", Comment="c", Catch=[catch("States.ALL", Comment="c", ResultPath=None)]
            ),
            Rescue=DONE,
        )
        | {"Comment": "c"},
        1,
        1,
        path=("First", "Second", "Rescue"),
    ),
    "End may be false beside a Next": Case(
        "Transitions: End, a boolean",
        machine(pass_(Next="Done", End=False), Done=DONE),
        1,
        1,
        path=("First", "Done"),
    ),
}
