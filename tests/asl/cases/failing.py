"""Cases: errors, Retry, Catch, timeouts and Fail states."""

from tests.asl.cases.building import (
    DONE,
    Case,
    Echoes,
    Fails,
    Hangs,
    Returns,
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

RETRY = "Retrying after error"
COMPLEX = "Complex retry scenarios"
FALLBACK = "Fallback states"
OUTPUT = "Error output"
CODES = "Appendix A: Predefined Error Codes"
HANDLING = "Step Functions, error handling: Error names"
FAIL = "Fail State"
TIMEOUT = "Task State: TimeoutSeconds"
ERROR = {"Error": "Transient", "Cause": "why"}
A, B, C = Fails("ErrorA"), Fails("ErrorB"), Fails("ErrorC")


def retried(outcomes, *retriers, clause=RETRY, output=42, error=None, delays=(), ours=""):
    """A task with retriers whose calls have these outcomes."""
    first = task("flaky", Retry=list(retriers))
    tasks = {"flaky": outcomes}
    return Case(clause, machine(first), {}, output, error, delays=delays, tasks=tasks, ours=ours)


def fails_after(outcomes, *retriers, error="Transient", **more):
    return retried(outcomes, *retriers, output=None, error=error, **more)


def caught(*catchers, output=ERROR, clause=FALLBACK, path=("First", "Rescue"), **more):
    """A task that fails with Transient and has these catchers."""
    first = task("fail", Catch=list(catchers))
    return Case(
        clause, machine(first, Rescue=DONE, Other=DONE), {"a": 1}, output, path=path, **more
    )


def uncaught(first, error, clause, data=None, **more):
    states = machine(first, Rescue=DONE, Other=DONE)
    return Case(clause, states, data or {"a": 1}, error=error, **more)


FLAKY = [Fails(), Fails(), Returns(42)]
SPEC_RETRIERS = (
    retry("ErrorA", "ErrorB", IntervalSeconds=1, BackoffRate=2, MaxAttempts=2),
    retry("ErrorC", IntervalSeconds=5),
)
BREAKING = {"Type": "Fail", "Error": "Broken", "Cause": "why"}
BROKEN = {"Error": "Broken", "Cause": "why"}
FAILING_BRANCH = branch("Inner", task("fail"))

CASES = {
    "the defaults: after 1, 2 and 4 seconds": fails_after(
        [Fails()], retry("Transient"), delays=(1, 2, 4)
    ),
    "retried until it succeeds": retried(FLAKY, retry("Transient"), delays=(1, 2)),
    "the example of the specification: after 3 and 6 seconds": fails_after(
        [Fails()],
        retry("Transient", IntervalSeconds=3, MaxAttempts=2, BackoffRate=2.0),
        delays=(3, 6),
    ),
    "MaxDelaySeconds caps the delay: after 3 and 4 seconds": fails_after(
        [Fails()],
        retry("Transient", IntervalSeconds=3, MaxAttempts=2, BackoffRate=2.0, MaxDelaySeconds=4),
        delays=(3, 4),
    ),
    "a rate of 1.5": fails_after(
        [Fails()],
        retry("Transient", IntervalSeconds=2, MaxAttempts=3, BackoffRate=1.5),
        delays=(2, 3, 4.5),
    ),
    "a rate of 1": fails_after(
        [Fails()], retry("Transient", IntervalSeconds=2, BackoffRate=1), delays=(2, 2, 2)
    ),
    "JitterStrategy NONE": fails_after(
        [Fails()], retry("Transient", MaxAttempts=2, JitterStrategy="NONE"), delays=(1, 2)
    ),
    "JitterStrategy FULL, with random numbers of 0.5": fails_after(
        [Fails()],
        retry("Transient", IntervalSeconds=4, MaxAttempts=2, JitterStrategy="FULL"),
        clause="Step Functions, error handling: JitterStrategy",
        delays=(2, 4),
        ours="moto draws its own",
    ),
    "MaxAttempts 0 never retries": fails_after([Fails()], retry("Transient", MaxAttempts=0)),
    "another error is not retried": fails_after([Fails()], retry("Other")),
    "names are compared whole": fails_after([Fails()], retry("Trans")),
    "names are case-sensitive": fails_after(
        [Fails()], retry("transient"), clause="Error representation"
    ),
    "States.ALL retries any error": retried(FLAKY, retry("States.ALL"), delays=(1, 2)),
    "the first Retrier that names the error decides": fails_after(
        [Fails()], retry("Transient", MaxAttempts=0), retry("States.ALL")
    ),
    "a Retrier that is used up fails, whatever follows": fails_after(
        [Fails()],
        retry("Transient", MaxAttempts=1),
        retry("States.ALL"),
        delays=(1,),
        clause=COMPLEX,
    ),
    "each Retrier counts for itself": Case(
        COMPLEX,
        machine(
            task("flaky", Retry=list(SPEC_RETRIERS), Catch=[catch("States.ALL", to="Z")]), Z=DONE
        ),
        {},
        {"Error": "ErrorB", "Cause": "why"},
        path=("First", "Z"),
        delays=(1, 2, 5),
        tasks={"flaky": [A, B, C, B]},
    ),
    "a state that is entered again starts its Retriers anew": Case(
        COMPLEX,
        machine(
            task("flaky", Retry=[retry("Transient", MaxAttempts=1)], Next="Again"),
            Again=choice({"Variable": "$", "NumericEquals": 2, "Next": "Done"}, Default="First"),
            Done=DONE,
        ),
        {},
        2,
        path=("First", "Again", "First", "Again", "Done"),
        delays=(1, 1),
        tasks={"flaky": [Fails(), Returns(1), Fails(), Returns(2)]},
    ),
    "RetryCount counts the retries": Case(
        "The Context Object; Step Functions, $$.State.RetryCount",
        machine(
            task("flaky", Retry=[retry("Transient")], Parameters={"n.$": "$$.State.RetryCount"})
        ),
        {},
        {"n": 2},
        delays=(1, 2),
        tasks={"flaky": [Fails(), Fails(), Echoes()]},
    ),
    "RetryCount counts the retries of all Retriers": Case(
        "The Context Object; Step Functions, $$.State.RetryCount",
        machine(
            task(
                "flaky",
                Retry=[retry("ErrorA"), retry("ErrorB")],
                Parameters={"n.$": "$$.State.RetryCount"},
            )
        ),
        {},
        {"n": 2},
        delays=(1, 1),
        tasks={"flaky": [A, B, Echoes()]},
    ),
    "RetryCount starts at 0 when a state is entered anew": Case(
        "The Context Object; Complex retry scenarios",
        machine(
            task(
                "flaky",
                Retry=[retry("Transient")],
                Parameters={"n.$": "$$.State.RetryCount"},
                ResultPath="$.first",
                Next="Second",
            ),
            Second=task("echo", Parameters={"n.$": "$$.State.RetryCount"}, ResultPath="$.second"),
        ),
        {},
        {"first": {"n": 1}, "second": {"n": 0}},
        path=("First", "Second"),
        delays=(1,),
        tasks={"flaky": [Fails(), Echoes()]},
    ),
    "a Parallel state is retried as a whole": Case(
        RETRY,
        machine(parallel(branch("Inner", task("flaky")), Retry=[retry("Transient")])),
        {},
        [42],
        path=("First", "Inner", "Inner"),
        delays=(1,),
        tasks={"flaky": [Fails(), Returns(42)]},
    ),
    "Retry goes before Catch": Case(
        FALLBACK,
        machine(
            task("fail", Retry=[retry("Transient", MaxAttempts=1)], Catch=[catch("Transient")]),
            Rescue=DONE,
        ),
        {},
        ERROR,
        path=("First", "Rescue"),
        delays=(1,),
    ),
    "a Catcher takes the error": caught(catch("Transient")),
    "a Catcher of several errors": caught(catch("Bug", "Transient")),
    "a Catcher of all errors": caught(catch("States.ALL")),
    "the first Catcher that names the error takes it": caught(
        catch("Bug", to="Other"), catch("Transient"), catch("States.ALL", to="Other")
    ),
    "a Catcher puts the error at $": caught(catch("Transient", ResultPath="$"), clause=OUTPUT),
    "a Catcher adds the error": caught(
        catch("Transient", ResultPath="$.e"), output={"a": 1, "e": ERROR}, clause=OUTPUT
    ),
    "a Catcher adds the error deep inside": caught(
        catch("Transient", ResultPath="$.e.f"), output={"a": 1, "e": {"f": ERROR}}, clause=OUTPUT
    ),
    "a Catcher drops the error": caught(
        catch("Transient", ResultPath=None), output={"a": 1}, clause=OUTPUT
    ),
    "a Catcher adds to the raw input": Case(
        OUTPUT,
        machine(
            task(
                "fail",
                InputPath="$.a",
                OutputPath="$.b",
                Catch=[catch("Transient", ResultPath="$.e")],
            ),
            Rescue=DONE,
        ),
        {"a": {"x": 1}},
        {"a": {"x": 1}, "e": ERROR},
        path=("First", "Rescue"),
    ),
    "a Parallel state catches what fails in a branch": Case(
        "Parallel State",
        machine(parallel(FAILING_BRANCH, Catch=[catch("Transient")]), Rescue=DONE),
        {},
        ERROR,
        path=("First", "Inner", "Rescue"),
    ),
    "a Parallel state catches a Fail state of a branch": Case(
        "Parallel State",
        machine(parallel(branch("Inner", BREAKING), Catch=[catch("Broken")]), Rescue=DONE),
        {},
        BROKEN,
        path=("First", "Inner", "Rescue"),
    ),
    "States.BranchFailed names every failure of a branch": Case(
        CODES,
        machine(parallel(FAILING_BRANCH, Catch=[catch("States.BranchFailed")]), Rescue=DONE),
        {},
        ERROR,
        path=("First", "Inner", "Rescue"),
    ),
    "an error that a branch catches does not fail it": Case(
        "Parallel State",
        machine(
            parallel(
                branch("Inner", task("fail", Catch=[catch("Transient", to="Mended")]), Mended=DONE)
            )
        ),
        {},
        [ERROR],
        path=("First", "Inner", "Mended"),
    ),
    "a task that nothing catches": uncaught(task("fail"), "Transient", "Errors"),
    "no Catcher names the error": uncaught(
        task("fail", Catch=[catch("Trans")]), "Transient", FALLBACK
    ),
    "a branch that nothing catches": uncaught(
        parallel(FAILING_BRANCH), "Transient", "Parallel State", path=("First", "Inner")
    ),
    "States.TaskFailed names any error of a task": caught(catch("States.TaskFailed"), clause=CODES),
    "States.TaskFailed retries any error of a task": retried(
        FLAKY, retry("States.TaskFailed"), delays=(1, 2), clause=HANDLING
    ),
    "States.TaskFailed is not States.Timeout": Case(
        HANDLING,
        machine(task("hang", TimeoutSeconds=7, Catch=[catch("States.TaskFailed")]), Rescue=DONE),
        {},
        error="States.Timeout",
    ),
    "States.ALL does not catch States.Runtime": uncaught(
        task(InputPath="$.x", Catch=[catch("States.ALL")]), "States.Runtime", HANDLING
    ),
    "States.ALL does not retry States.Runtime": uncaught(
        task(InputPath="$.x", Retry=[retry("States.ALL")]), "States.Runtime", HANDLING, delays=()
    ),
    "States.TaskFailed does not catch States.Runtime": uncaught(
        task(InputPath="$.x", Catch=[catch("States.TaskFailed")]), "States.Runtime", HANDLING
    ),
    "States.ALL of a Parallel state does not catch States.Runtime": uncaught(
        parallel(branch("Inner", task(InputPath="$.x")), Catch=[catch("States.ALL")]),
        "States.Runtime",
        HANDLING,
        path=("First", "Inner"),
    ),
    "a parameter that leads nowhere is caught": Case(
        "Errors; Appendix A: States.ParameterPathFailure",
        machine(
            task(
                Parameters={"x.$": "$.x"},
                Catch=[catch("States.ParameterPathFailure", ResultPath=None)],
            ),
            Rescue=DONE,
        ),
        {"a": 1},
        {"a": 1},
        path=("First", "Rescue"),
    ),
    "a result without a place is caught": Case(
        "Errors: Runtime Errors; Appendix A: States.ResultPathMatchFailure",
        machine(
            task(ResultPath="$.x", Catch=[catch("States.ResultPathMatchFailure", ResultPath=None)]),
            Rescue=DONE,
        ),
        "foo",
        "foo",
        path=("First", "Rescue"),
    ),
    "a function that fails is caught": Case(
        "Appendix A: States.IntrinsicFailure",
        machine(
            task(
                Parameters={"x.$": "States.StringToJson('no')"},
                Catch=[catch("States.IntrinsicFailure", ResultPath=None)],
            ),
            Rescue=DONE,
        ),
        {"a": 1},
        {"a": 1},
        path=("First", "Rescue"),
    ),
    "a Choice without match in a branch is caught": Case(
        "Choice State: Default; Parallel State",
        machine(
            parallel(
                branch(
                    "Inner",
                    choice({"Variable": "$.a", "NumericEquals": 2, "Next": "Never"}),
                    Never=DONE,
                ),
                Catch=[catch("States.NoChoiceMatched", ResultPath=None)],
            ),
            Rescue=DONE,
        ),
        {"a": 1},
        {"a": 1},
        path=("First", "Inner", "Rescue"),
    ),
    "an error output without a place fails the machine": uncaught(
        task("fail", Catch=[catch("States.ALL", ResultPath="$.e")]),
        "States.ResultPathMatchFailure",
        "Error output: works exactly like a state's ResultPath",
        data="foo",
    ),
    "a task that ends too late": uncaught(
        task("hang", TimeoutSeconds=7), "States.Timeout", TIMEOUT
    ),
    "a timeout is caught": Case(
        TIMEOUT,
        machine(
            task("hang", TimeoutSeconds=7, Catch=[catch("States.Timeout", ResultPath=None)]),
            Rescue=DONE,
        ),
        {"a": 1},
        {"a": 1},
        path=("First", "Rescue"),
    ),
    "a timeout is retried": Case(
        TIMEOUT,
        machine(task("slow", TimeoutSeconds=7, Retry=[retry("States.Timeout")])),
        {},
        42,
        delays=(1,),
        tasks={"slow": [Hangs(), Returns(42)]},
    ),
    "States.ALL catches a timeout": Case(
        CODES,
        machine(
            task("hang", TimeoutSeconds=7, Catch=[catch("States.ALL", ResultPath=None)]),
            Rescue=DONE,
        ),
        {},
        {},
        path=("First", "Rescue"),
    ),
    "a timeout at a path": uncaught(
        task("hang", TimeoutSecondsPath="$.s"), "States.Timeout", TIMEOUT, data={"s": 3}
    ),
    "a timeout at a path of what InputPath selects": uncaught(
        task("hang", InputPath="$.a", TimeoutSecondsPath="$.s"),
        "States.Timeout",
        "Task State: TimeoutSecondsPath; Using InputPath: that selection is used by the state",
        data={"a": {"s": 3}},
    ),
    "a timeout at a path that leads nowhere": uncaught(
        task(TimeoutSecondsPath="$.s"), "States.Runtime", TIMEOUT
    ),
    "a timeout of no time": uncaught(
        task(TimeoutSecondsPath="$.s"), "States.Runtime", TIMEOUT, data={"s": 0}
    ),
    "a timeout that is no number": uncaught(
        task(TimeoutSecondsPath="$.s"), "States.Runtime", TIMEOUT, data={"s": "3"}
    ),
    "a task in time": Case(TIMEOUT, machine(task(TimeoutSeconds=7)), {}, 42),
    "the machine's own time ends a task": Case(
        HANDLING, machine(task("hang")) | {"TimeoutSeconds": 9}, {}, error="States.Timeout"
    ),
    "the machine's own time ends a wait": Case(
        HANDLING,
        machine(wait(Seconds=10)) | {"TimeoutSeconds": 9},
        {},
        error="States.Timeout",
        ours="no time passes while moto waits",
    ),
    "nothing catches the end of the machine's own time": Case(
        HANDLING,
        machine(
            task("hang", Retry=[retry("States.ALL")], Catch=[catch("States.ALL")]),
            Rescue=DONE,
        )
        | {"TimeoutSeconds": 9},
        {},
        error="States.Timeout",
        delays=(),
    ),
    "the machine's own time ends its branches": Case(
        HANDLING,
        machine(parallel(branch("Inner", task("hang")), Catch=[catch("States.ALL")]), Rescue=DONE)
        | {"TimeoutSeconds": 9},
        {},
        error="States.Timeout",
        path=("First", "Inner"),
    ),
    "Fail": Case(FAIL, machine(BREAKING), {}, error="Broken"),
    "Fail with its Error at a path": Case(
        FAIL,
        machine({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c"}),
        {"e": "Broken", "c": "why"},
        error="Broken",
    ),
    "Fail with a function": Case(
        FAIL,
        machine({"Type": "Fail", "ErrorPath": "States.Format('{}{}', $.e, 1)"}),
        {"e": "Broken"},
        error="Broken1",
    ),
    "Fail with a path that leads nowhere": Case(
        f"{FAIL}; States.Runtime",
        machine({"Type": "Fail", "ErrorPath": "$.e"}),
        {},
        error="States.Runtime",
    ),
    "Fail with a path to no text": Case(
        f"{FAIL}: MUST be string values",
        machine({"Type": "Fail", "ErrorPath": "$.e"}),
        {"e": 1},
        error="States.Runtime",
    ),
    "Fail after a Catch hands the error on": Case(
        FAIL,
        machine(
            task("fail", Catch=[catch("States.ALL")]),
            Rescue={"Type": "Fail", "ErrorPath": "$.Error", "CausePath": "$.Cause"},
        ),
        {},
        error="Transient",
        path=("First", "Rescue"),
    ),
    "a Catcher may lead back": Case(
        FALLBACK,
        machine(
            task("flaky", Catch=[catch("Transient", to="Again")], Next="Done"),
            Again=pass_(Next="First"),
            Done=DONE,
        ),
        {},
        42,
        path=("First", "Again", "First", "Done"),
        tasks={"flaky": [Fails(), Returns(42)]},
    ),
}
