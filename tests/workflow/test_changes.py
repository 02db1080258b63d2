"""Which counts of a run are told with --quiet, against those of the run that was live."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthpipe.workflow.changes import changes_of

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 60))


@pytest.mark.parametrize(
    ("before", "now", "is_told"),
    [
        (2, 2, False), (2, 4, False), (2, 5, True), (5, 2, True), (3, 1, False),
        (29, 32, True), (30, 33, True), (31, 34, False), (34, 31, False), (100, 109, False),
        (100, 110, True), (100, 90, True), (100, 91, False), (1_000_000, 1_100_000, True),
    ],
)  # fmt: skip
def test_a_count_is_told_that_differs_by_three_and_ten_percent(before, now, is_told):
    assert changes_of({"x": now}, {"x": before}).told == ({"x": before} if is_told else {})


@given(COUNTS, COUNTS)
def test_each_key_is_told_ended_or_much_the_same(now, before):
    found = changes_of(now, before)

    assert set(found.ended) == set(before) - set(now)
    assert set(found.told) <= set(now)
    for key, count in now.items():
        was = before.get(key)
        differs = was is None or (
            abs(count - was) >= 3 and Fraction(abs(count - was), was) >= Fraction(1, 10)
        )
        assert (key in found.told) == differs
        assert found.told.get(key) in (None, was)


@given(COUNTS)
def test_the_same_counts_are_never_told_and_all_where_there_were_none(counts):
    unchanged, first, last = (
        changes_of(counts, counts), changes_of(counts, {}), changes_of({}, counts),
    )  # fmt: skip

    assert (unchanged.told, unchanged.ended) == ({}, [])
    assert first.told == dict.fromkeys(counts)
    assert sorted(last.ended) == sorted(counts)
