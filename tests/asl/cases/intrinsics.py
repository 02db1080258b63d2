"""Cases: the intrinsic functions."""

from tests.asl.cases.building import Case, machine, task

NOTE = "Intrinsic Functions"
FORMAT = "Appendix B: States.Format"
IN = {
    "name": "Ann",
    "n": 7,
    "f": 1.5,
    "yes": True,
    "nothing": None,
    "list": [3, 1, 3, "1", 1],
    "object": {"a": 1, "b": {"c": 2}},
    "other": {"b": {"d": 3}, "e": None},
    "template": "<{}>",
    "json": '{"x": [1, null]}',
    "csv": "1,2,,3",
}


def makes(clause, expression, value):
    return Case(clause, machine(task("echo", Parameters={"x.$": expression})), IN, {"x": value})


def fails(clause, expression):
    return Case(
        clause,
        machine(task("echo", Parameters={"x.$": expression})),
        IN,
        error="States.IntrinsicFailure",
    )


MAKES = {
    "States.Format('a')": (FORMAT, "a"),
    "States.Format('{}', $.name)": (FORMAT, "Ann"),
    "States.Format('{} is {}', $.name, $.n)": (FORMAT, "Ann is 7"),
    "States.Format('{}{}{}', $.yes, $.nothing, $.f)": (FORMAT, "truenull1.5"),
    "States.Format('{}', 'x')": (FORMAT, "x"),
    "States.Format('{}', 2020)": (FORMAT, "2020"),
    "States.Format($.template, $.name)": (FORMAT, "<Ann>"),
    r"States.Format('\{\} {}', $.n)": (FORMAT, "{} 7"),
    r"States.Format('{}\'s', $.name)": (NOTE, "Ann's"),
    r"States.Format('a\\{}', $.n)": (NOTE, "a\\7"),
    "States.Format('({}, {})', 'a,b', 'c)')": (NOTE, "(a,b, c))"),
    "States.StringToJson($.json)": ("Appendix B: States.StringToJson", {"x": [1, None]}),
    "States.StringToJson('7')": ("Appendix B: States.StringToJson", 7),
    "States.JsonToString($.object)": (
        "Appendix B: States.JsonToString",
        '{"a":1,"b":{"c":2}}',
    ),
    "States.JsonToString($.nothing)": ("Appendix B: States.JsonToString", "null"),
    "States.Array()": ("Appendix B: States.Array", []),
    "States.Array('a', 1, $.n, null)": ("Appendix B: States.Array", ["a", 1, 7, None]),
    "States.Array(States.Array($.n), -2.5)": (NOTE, [[7], -2.5]),
    "States.Array(true, false)": (NOTE, [True, False]),
    "States.ArrayPartition($.list, 2)": (
        "Appendix B: States.ArrayPartition",
        [[3, 1], [3, "1"], [1]],
    ),
    "States.ArrayPartition($.list, 9)": (
        "Appendix B: States.ArrayPartition",
        [[3, 1, 3, "1", 1]],
    ),
    "States.ArrayContains($.list, 1)": ("Appendix B: States.ArrayContains", True),
    "States.ArrayContains($.list, '3')": ("Appendix B: States.ArrayContains", False),
    "States.ArrayContains($.list, true)": ("Appendix B: States.ArrayContains", False),
    "States.ArrayRange(1, 9, 2)": ("Appendix B: States.ArrayRange", [1, 3, 5, 7, 9]),
    "States.ArrayRange(1, 8, 3)": ("Appendix B: States.ArrayRange", [1, 4, 7]),
    "States.ArrayRange(3, 1, -1)": ("Appendix B: States.ArrayRange", [3, 2, 1]),
    "States.ArrayLength(States.ArrayRange(1, 1000, 1))": ("Appendix B: States.ArrayRange", 1000),
    "States.ArrayGetItem($.list, 0)": ("Appendix B: States.ArrayGetItem", 3),
    "States.ArrayGetItem($.list, 3)": ("Appendix B: States.ArrayGetItem", "1"),
    "States.ArrayLength($.list)": ("Appendix B: States.ArrayLength", 5),
    "States.ArrayUnique($.list)": ("Appendix B: States.ArrayUnique", [3, 1, "1"]),
    "States.Base64Encode('Data to encode')": (
        "Appendix B: States.Base64Encode",
        "RGF0YSB0byBlbmNvZGU=",
    ),
    "States.Base64Decode('RGF0YSB0byBlbmNvZGU=')": (
        "Appendix B: States.Base64Decode",
        "Data to encode",
    ),
    "States.Hash('abc', 'MD5')": (
        "Appendix B: States.Hash; RFC 1321",
        "900150983cd24fb0d6963f7d28e17f72",
    ),
    "States.Hash('abc', 'SHA-1')": (
        "Appendix B: States.Hash; FIPS 180",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
    ),
    "States.Hash('abc', 'SHA-256')": (
        "Appendix B: States.Hash; FIPS 180",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    "States.JsonMerge($.object, $.other, false)": (
        "Appendix B: States.JsonMerge",
        {"a": 1, "b": {"d": 3}, "e": None},
    ),
    "States.MathAdd($.n, -8)": ("Appendix B: States.MathAdd", -1),
    "States.MathAdd(States.MathAdd(1, 2), 3)": (NOTE, 6),
    "States.StringSplit($.csv, ',')": ("Appendix B: States.StringSplit", ["1", "2", "3"]),
    "States.StringSplit('This.is+a,test=string', '.+,=')": (
        "Step Functions, intrinsic functions: several delimiting characters",
        ["This", "is", "a", "test", "string"],
    ),
}
FAILS = {
    "States.Format($.n)": FORMAT,
    "States.Format('{}', $.list)": FORMAT,
    "States.Format('{}', $.object)": FORMAT,
    "States.Format($.template, 1, 2)": FORMAT,
    "States.StringToJson('no')": "Appendix B: States.StringToJson",
    "States.StringToJson($.n)": "Appendix B: States.StringToJson",
    "States.ArrayPartition($.list, 0)": "Appendix B: States.ArrayPartition",
    "States.ArrayPartition($.n, 1)": "Appendix B: States.ArrayPartition",
    "States.ArrayContains($.n, 1)": "Appendix B: States.ArrayContains",
    "States.ArrayRange(1, 5, 0)": "Appendix B: States.ArrayRange",
    "States.ArrayRange(1, 1001, 1)": "Appendix B: States.ArrayRange",
    "States.ArrayGetItem($.list, 5)": "Appendix B: States.ArrayGetItem",
    "States.ArrayLength($.object)": "Appendix B: States.ArrayLength",
    "States.ArrayUnique($.name)": "Appendix B: States.ArrayUnique",
    "States.Base64Decode('?')": "Appendix B: States.Base64Decode",
    "States.Hash('abc', 'CRC')": "Appendix B: States.Hash",
    "States.JsonMerge($.object, $.n, false)": "Appendix B: States.JsonMerge",
    "States.JsonMerge($.object, $.other, true)": "Appendix B: States.JsonMerge",
    "States.MathAdd(1, 'x')": "Appendix B: States.MathAdd",
    "States.MathAdd(1, 1.5)": "Appendix B: States.MathAdd",
    "States.MathRandom('a', 2)": "Appendix B: States.MathRandom",
}
CASES = {
    **{
        expression: makes(clause, expression, value)
        for expression, (clause, value) in MAKES.items()
    },
    **{f"{expression} fails": fails(clause, expression) for expression, clause in FAILS.items()},
    "a path in a function leads nowhere": Case(
        "Payload Template",
        machine(task("echo", Parameters={"x.$": "States.Array($.missing)"})),
        IN,
        error="States.ParameterPathFailure",
    ),
    "a function in ResultSelector": Case(
        "Payload Template",
        machine(task(ResultSelector={"x.$": "States.Format('{}', $)"})),
        IN,
        {"x": "42"},
    ),
    "a function of the context object": Case(
        "Intrinsic Functions",
        machine(task("echo", Parameters={"x.$": "States.Format('{}!', $$.Execution.Name)"})),
        IN,
        {"x": "nightly!"},
    ),
    "a random number lies between its start and the end that is not drawn": Case(
        "Appendix B: States.MathRandom",
        machine(task("echo", Parameters={"x.$": "States.MathRandom(5, 6)"})),
        IN,
        {"x": 5},
        ours="moto draws the end, too, now and then",
    ),
}
