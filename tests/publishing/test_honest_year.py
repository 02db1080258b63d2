"""A year of honest mornings has no false stop, and prints on the days of change only."""

import os

import pytest

from tests.support.honest_year import (
    BROKEN,
    PACKED_DAY,
    RENEWAL_DAYS,
    SPLIT_DAY,
    STATELESS,
    HonestYear,
    Morning,
)
from tests.support.recording_channel import RecordingChannel

# Around every change, and a few quiet days between; and those that cost little time.
EVENTS = (*BROKEN, *STATELESS, *RENEWAL_DAYS, SPLIT_DAY, PACKED_DAY, 90, 91, 181, 273)
AROUND_CHANGES = sorted({day + more for day in EVENTS for more in (0, 1, 2)} & set(range(365)))
SOME_MORNINGS = (0, 1, 2, SPLIT_DAY, SPLIT_DAY + 1, 90, 91, 92, 200, 201, 355, 356, 357)
# Every morning takes minutes: the variable asks for all.
EVERY_MORNING = "HEALTHPIPE_TEST_EVERY_MORNING"


@pytest.fixture
def year(tmp_path, monkeypatch):
    monkeypatch.setattr("healthpipe.runs.request.open_channel", lambda *_: RecordingChannel())
    return HonestYear(tmp_path / "data" / "raw")


def is_told(now: int, before: int) -> bool:
    """Whether a count is printed with --quiet, by the contract: new, ended, or another by far."""
    if not now or not before:
        return now != before
    return abs(now - before) >= 3 and abs(now - before) * 10 >= before


def check(cli, year: HonestYear, numbers) -> int:
    """Run the mornings; returns how many printed something."""
    told = 0
    before: Morning | None = None
    for morning in year.mornings(numbers):
        outcome = cli("orchestrate", "--as-of", morning.day.isoformat(), "--quiet")
        assert (outcome.code, outcome.out) == (0, ""), (morning, outcome.err)
        if before is not None:
            has_news = is_told(morning.broken, before.broken) or is_told(
                morning.stateless, before.stateless
            )
            may_have = has_news or morning.has_large_change or before.has_large_change
            assert bool(outcome.err) <= may_have, (morning, outcome.err)
            assert bool(outcome.err) >= has_news, morning
        told += bool(outcome.err)
        before = morning
    return told


def test_some_mornings_of_a_year(cli, year):
    assert check(cli, year, SOME_MORNINGS) >= 3


@pytest.mark.slow
def test_the_mornings_around_each_change_of_a_year(cli, year):
    numbers = range(365) if os.environ.get(EVERY_MORNING) else AROUND_CHANGES
    assert check(cli, year, numbers) >= 8
