"""Moments and spans as a person reads them."""

from datetime import timedelta

import pytest

from healthpipe.text import elapsed_text, moment_text, span_text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(), "0 s"),
        (timedelta(milliseconds=999), "0 s"),
        (timedelta(seconds=-1), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=1, seconds=1), "1 min 1 s"),
        (timedelta(hours=1, seconds=59), "1 h"),
        (timedelta(hours=26), "1 d 2 h"),
        (timedelta(days=400, hours=23, minutes=59), "400 d 23 h"),
    ],
)
def test_a_span_is_told_by_its_two_largest_units(span, text):
    assert span_text(span) == text


def test_a_moment_is_told_in_utc():
    assert moment_text("2026-02-15T01:00:00.999+02:00") == "2026-02-14T23:00:00Z"


def test_what_has_not_ended_took_no_time_yet():
    assert elapsed_text("2026-02-15T01:00:00+00:00", None) == ""
    assert elapsed_text("2026-02-15T01:00:00+00:00", "2026-02-15T04:02:00+02:00") == "1 h 2 min"
