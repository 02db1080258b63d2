"""How much may be rejected, or fewer than live: thresholds as a user writes them."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthpipe.errors import UsageError
from healthpipe.publishing.gates import Bounds, Gates, RawGates, Threshold

NUMBERS = st.integers(0, 10**18 - 1).map(str)
PERCENTS = st.decimals(0, 100, places=3).map(lambda number: f"{number:f}%")
COUNTS = st.integers(0, 10**12)


@given(NUMBERS | PERCENTS)
def test_a_threshold_comes_back_as_it_was_written(text):
    assert str(Threshold.parse(text)) == text


NO_THRESHOLDS = (
    "", "-1", "5 %", " 5", "5%%", "%", "1e3", "5.5", "1,000", "\u0665%", "100.1%", "-5%", ".5%",
    "5.%", "nan%", "five", "9" * 19, "0.1234567%",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_THRESHOLDS)
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError, match="neither a number nor a percentage"):
        Threshold.parse(text)


@given(COUNTS, COUNTS, COUNTS)
def test_a_number_allows_as_many_and_no_more(limit, actual, of):
    assert Threshold(number=limit).allows(actual, of) == (actual <= limit)


@given(st.decimals(0, 100, places=2), COUNTS, COUNTS)
def test_a_percentage_allows_exactly_that_share_and_no_more(percent, actual, of):
    allowed = Fraction(percent) / 100 * of

    assert Threshold(percent=percent).allows(actual, of) == (Fraction(actual) <= allowed)


@pytest.mark.parametrize(
    ("text", "actual", "of", "allowed"),
    [
        ("5%", 5, 100, True),
        ("5%", 1, 20, True),
        ("5%", 1, 19, False),
        ("2.5%", 1, 40, True),
        ("2.5%", 2, 79, False),
        ("0", 0, 0, True),
        ("0", 1, 1000, False),
        ("0%", 0, 0, True),
        ("100%", 7, 7, True),
        ("500", 500, 1, True),
        ("500", 501, 10**9, False),
        ("33.333333%", 33333333, 100_000_000, True),
        ("33.333333%", 33333334, 100_000_000, False),
    ],
)
def test_thresholds_by_example(text, actual, of, allowed):
    assert Threshold.parse(text).allows(actual, of) is allowed


def test_the_defaults_are_those_of_the_contract():
    assert RawGates().checked() == Gates(
        rejects=Bounds(Threshold(percent=Decimal(5))),
        rejected_files=Bounds(Threshold(number=0)),
        drop=Bounds(Threshold(percent=Decimal(20))),
        issues=Bounds(Threshold(percent=Decimal(20)), Threshold(percent=Decimal(5))),
    )


@pytest.mark.parametrize("gate", ["rejects", "rejected_files", "drop", "issues"])
@pytest.mark.parametrize(("warn", "most"), [("6%", "5%"), ("5.01%", "5%"), ("11", "10")])
def test_a_warning_above_its_gate_is_refused(gate, warn, most):
    with pytest.raises(UsageError, match=f"--warn-{gate} {warn} is above".replace("_", "-")):
        RawGates(**{f"warn_{gate}": warn, f"max_{gate}": most}).checked()


@pytest.mark.parametrize(("warn", "most"), [("5%", "5%"), ("10", "10"), ("90%", "1"), ("9", "1%")])
def test_a_warning_may_be_as_high_or_not_to_be_compared(warn, most):
    assert str(RawGates(warn_rejects=warn, max_rejects=most).checked().rejects.warning) == warn


def test_the_message_names_the_option():
    with pytest.raises(UsageError, match=r"^--max-rejected-files 'many' is neither"):
        RawGates(max_rejected_files="many").checked()
