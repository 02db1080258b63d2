"""Cases: the rules of Choice states."""

from tests.asl.cases.building import DONE, Case, choice, machine

CLAUSE = "Choice State: Data-test Expression"
BOOLEAN = "Choice State: Boolean Expression"
EARLY, LATE = "2016-03-14T01:59:00Z", "2016-03-14T02:00:00Z"
SAME_AS_EARLY = "2016-03-14T02:59:00+01:00"
IN = {
    "one": 1,
    "same": 1.0,
    "two": 2,
    "a": "a",
    "b": "b",
    "true": True,
    "also": True,
    "false": False,
    "null": None,
    "early": EARLY,
    "late": LATE,
    "zoned": SAME_AS_EARLY,
    "list": [],
    "digit": "1",
}
ORDER = {  # comparator: what it says of a lesser, an equal and a greater value
    "Equals": (False, True, False),
    "LessThan": (True, False, False),
    "GreaterThan": (False, False, True),
    "LessThanEquals": (True, True, False),
    "GreaterThanEquals": (False, True, True),
}
KINDS = {"Numeric": ("one", "two"), "String": ("a", "b"), "Timestamp": ("early", "late")}


def decides(rule, holds, clause=CLAUSE, **more):
    """A Choice that goes to Yes if its rule holds and else to No."""
    path = ("First", "Yes" if holds else "No")
    first = choice(rule | {"Next": "Yes"}, Default="No")
    return Case(clause, machine(first, Yes=DONE, No=DONE), IN, IN, path=path, **more)


def test(variable, **operator):
    return {"Variable": f"$.{variable}", **operator}


def orders():
    for kind, (less, more) in KINDS.items():
        for order, (of_less, of_equal, of_more) in ORDER.items():
            pairs = ((less, more, of_less), (more, more, of_equal), (more, less, of_more))
            for one, other, holds in pairs:
                asked = {f"{kind}{order}": IN[other]}
                yield f"{one} {kind}{order} {other}", decides(test(one, **asked), holds)
            asked = {f"{kind}{order}Path": f"$.{more}"}
            yield f"{less} {kind}{order}Path", decides(test(less, **asked), of_less)


def types():
    of_type = {
        "IsNull": {"null"},
        "IsNumeric": {"one", "same"},
        "IsString": {"a", "early", "digit"},
        "IsBoolean": {"true", "false"},
        "IsTimestamp": {"early", "late"},
    }
    for operator, names in of_type.items():
        for name in ("null", "one", "same", "a", "early", "digit", "true", "false", "list", "late"):
            holds = name in names or (operator == "IsString" and name == "late")
            yield f"{name} {operator}", decides(test(name, **{operator: True}), holds)
        yield f"not {operator}", decides(test("list", **{operator: False}), True)


MATCHES = {
    ("a", "a"): True,
    ("ab", "a"): False,
    ("foo23.log", "foo*.log"): True,
    ("zebra.log", "*.log"): True,
    ("foobar.zebra", "foo*.*"): True,
    ("foolog", "foo*.log"): False,
    ("", "*"): True,
    ("a+b", "a+b"): True,
    ("aab", "a+b"): False,
    ("a*b", r"a\*b"): True,
    ("axb", r"a\*b"): False,
    ("a\\b", r"a\\b"): True,
    ("xay", "*a*"): True,
    ("A", "a"): False,
    ("a\nb", "a*"): True,
}


def matches():
    for (text, pattern), holds in MATCHES.items():
        rule = {"Variable": "$.x", "StringMatches": pattern, "Next": "Yes"}
        states = machine(choice(rule, Default="No"), Yes=DONE, No=DONE)
        path = ("First", "Yes" if holds else "No")
        data = {"x": text}
        yield f"{text!r} matches {pattern!r}", Case(CLAUSE, states, data, data, path=path)


YES, NO = test("true", BooleanEquals=True), test("true", BooleanEquals=False)
CASES = {
    **dict(orders()),
    **dict(types()),
    **dict(matches()),
    "a whole number equals its decimal": decides(test("one", NumericEqualsPath="$.same"), True),
    "true equals true": decides(test("true", BooleanEquals=True), True),
    "true equals not false": decides(test("true", BooleanEquals=False), False),
    "true equals true at a path": decides(test("true", BooleanEqualsPath="$.also"), True),
    "true equals not false at a path": decides(test("true", BooleanEqualsPath="$.false"), False),
    "a digit is no number": decides(test("digit", NumericEquals=1), False),
    "a number is no text": decides(test("one", StringEquals="1"), False),
    "true is no number": decides(test("true", NumericEquals=1), False),
    "a number is no boolean": decides(test("one", BooleanEquals=True), False),
    "null equals no text": decides(test("null", StringEquals="null"), False),
    "a number matches no pattern": decides(test("one", StringMatches="*"), False),
    "a text is no timestamp": decides(test("a", TimestampLessThan=LATE), False),
    "values of different types compare false": decides(
        test("one", NumericLessThanPath="$.a"), False
    ),
    "a timestamp compares as a text, too": decides(test("early", StringEquals=EARLY), True),
    "the same moment in two zones is equal": decides(
        test("early", TimestampEquals=SAME_AS_EARLY), True, "Timestamps: a numeric time zone offset"
    ),
    "a moment with an offset is a timestamp": decides(
        test("zoned", IsTimestamp=True), True, "Timestamps: a numeric time zone offset"
    ),
    "texts compare without folding": decides(test("a", StringEquals="A"), False),
    "present": decides(test("null", IsPresent=True), True),
    "not present": decides(test("missing", IsPresent=True), False),
    "present is not absent": decides(test("one", IsPresent=False), False),
    "absent": decides(test("missing", IsPresent=False), True),
    "And of all": decides({"And": [YES, YES]}, True, BOOLEAN),
    "And but for one": decides({"And": [YES, NO]}, False, BOOLEAN),
    "And of one": decides({"And": [YES]}, True, BOOLEAN),
    "Or of one among two": decides({"Or": [NO, YES]}, True, BOOLEAN),
    "Or of none": decides({"Or": [NO, NO]}, False, BOOLEAN),
    "Not of true": decides({"Not": YES}, False, BOOLEAN),
    "Not of false": decides({"Not": NO}, True, BOOLEAN),
    "nested": decides({"And": [{"Or": [NO, {"Not": NO}]}, {"Not": {"And": [NO]}}]}, True, BOOLEAN),
    "And looks no further than needed": decides(
        {"And": [NO, test("missing", NumericEquals=1)]}, False, BOOLEAN
    ),
    "Or looks no further than needed": decides(
        {"Or": [YES, test("missing", NumericEquals=1)]}, True, BOOLEAN
    ),
    **{
        f"a Variable of {operator} leads nowhere": Case(
            "Choice State: IsPresent, the only test without exception; States.Runtime",
            machine(choice(test("missing", **{operator: asked}) | {"Next": "Yes"}), Yes=DONE),
            IN,
            error="States.Runtime",
        )
        for operator, asked in (("NumericEquals", 1), ("IsNull", True), ("StringMatches", "*"))
    },
    "a path to compare with leads nowhere": Case(
        "Choice State: Data-test Expression; States.Runtime",
        machine(
            choice(test("one", NumericEqualsPath="$.missing") | {"Next": "Yes"}, Default="Yes"),
            Yes=DONE,
        ),
        IN,
        error="States.Runtime",
    ),
    "the first rule that holds decides": Case(
        "Choice State",
        machine(
            choice(NO | {"Next": "A"}, YES | {"Next": "B"}, YES | {"Next": "A"}), A=DONE, B=DONE
        ),
        IN,
        IN,
        path=("First", "B"),
    ),
    "no rule holds and there is no Default": Case(
        "Choice State: Default",
        machine(choice(NO | {"Next": "A"}), A=DONE),
        IN,
        error="States.NoChoiceMatched",
    ),
    "a rule of the context object": Case(
        "The Context Object",
        machine(
            choice(
                {"Variable": "$$.Execution.Name", "StringEquals": "nightly", "Next": "Yes"},
                Default="No",
            ),
            Yes=DONE,
            No=DONE,
        ),
        IN,
        IN,
        path=("First", "Yes"),
    ),
}
