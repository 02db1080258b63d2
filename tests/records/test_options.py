"""What a user may decide about the meaning of records."""

import datetime
import json
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthpipe.choices import Accredited, FirstAccreditation
from healthpipe.errors import UsageError
from healthpipe.stages import options
from healthpipe.stages.options import (
    SnapshotChoice,
    StageOptions,
    Window,
    options_from_words,
    parse_day,
)

day = datetime.date.fromisoformat
FIRST, LAST = day("0001-01-01"), day("9999-12-31")


@pytest.mark.parametrize(
    ("as_of", "months", "end"),
    [
        ("2025-08-31", 6, "2026-02-28"),
        ("2023-08-31", 6, "2024-02-29"),
        ("2023-08-30", 6, "2024-02-29"),
        ("2023-08-29", 6, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2099-11-30", 3, "2100-02-28"),
        ("2025-02-28", 6, "2025-08-28"),
        ("2025-03-31", 1, "2025-04-30"),
        ("2025-12-15", 1, "2026-01-15"),
        ("2025-08-31", 0, "2025-08-31"),
        ("2025-08-31", 120, "2035-08-31"),
        ("2025-08-31", None, "2026-02-28"),
        ("9999-06-30", 6, "9999-12-30"),
        ("9999-07-01", 6, "9999-12-31"),
        ("9999-12-31", 0, "9999-12-31"),
        ("9995-01-01", 120, "9999-12-31"),
    ],
)
def test_months_ahead_are_calendar_months_clamped_to_the_month_and_the_last_day(as_of, months, end):
    assert Window.ahead(day(as_of), months=months) == Window(day(as_of), day(end))


@pytest.mark.parametrize(
    ("as_of", "days", "end"),
    [
        ("2025-08-31", 0, "2025-08-31"),
        ("2025-08-31", 1, "2025-09-01"),
        ("2024-02-28", 2, "2024-03-01"),
        ("2025-02-28", 2, "2025-03-02"),
        ("2025-01-01", 3660, "2035-01-09"),
        ("9999-12-30", 1, "9999-12-31"),
        ("9999-12-31", 1, "9999-12-31"),
        ("9999-12-31", 3660, "9999-12-31"),
    ],
)
def test_days_ahead_are_days_clamped_to_the_last_day(as_of, days, end):
    assert Window.ahead(day(as_of), days=days) == Window(day(as_of), day(end))


@pytest.mark.parametrize("ahead", [{}, {"months": 0}, {"days": 30}])
def test_include_expired_adds_every_earlier_date(ahead):
    as_of = day("2025-08-31")
    assert Window.ahead(as_of, include_expired=True, **ahead) == Window(
        FIRST, Window.ahead(as_of, **ahead).end
    )


@pytest.mark.parametrize(
    "ahead",
    [
        {"months": 6, "days": 30},
        {"months": 0, "days": 0},
        {"months": -1},
        {"months": 121},
        {"days": -1},
        {"days": 3661},
    ],
)
def test_a_window_in_both_units_or_out_of_range_is_refused(ahead):
    with pytest.raises(UsageError) as refusal:
        Window.ahead(day("2025-08-31"), **ahead)
    assert refusal.value.exit_code == 2
    with pytest.raises(UsageError):
        options_from_words("2025-08-31", ahead)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("latest", SnapshotChoice(until=LAST, newest_only=False)),
        ("newest", SnapshotChoice(until=LAST, newest_only=True)),
        ("2026-11-20", SnapshotChoice(until=day("2026-11-20"), newest_only=False)),
    ],
)
def test_a_snapshot_is_the_latest_the_newest_or_up_to_a_day(text, choice):
    assert SnapshotChoice.parse(text) == choice
    assert str(choice) == text


NO_DAYS = [
    "", "today", "20260105", "2026-W01-1", "2026-005", " 2026-01-05", "2026-01-05 ",
    "2026-01-05\n", "2026-1-5", "2026-02-29", "2026-13-01", "2026-00-10", "0000-01-01",
    "12026-01-01", "-2026-01-05", "2026/01/05", "2026-01-05T00:00:00", "٢٠٢٦-01-05",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_DAYS)
def test_what_is_no_day_as_yyyy_mm_dd_is_refused(text):
    for parse in (
        lambda: parse_day("--as-of", text),
        lambda: SnapshotChoice.parse(text),
        lambda: options_from_words(text, {}),
        lambda: options_from_words("2026-01-05", {"snapshot": text}),
    ):
        with pytest.raises(UsageError) as refusal:
            parse()
        assert refusal.value.exit_code == 2


@pytest.mark.parametrize("text", ["LATEST", "Newest", "latest "])
def test_other_words_are_no_snapshot(text):
    with pytest.raises(UsageError):
        SnapshotChoice.parse(text)


@given(st.dates())
def test_every_day_as_yyyy_mm_dd_is_a_day(date):
    text = f"{date.year:04}-{date.month:02}-{date.day:02}"
    assert parse_day("--as-of", text) == date


@given(
    st.builds(
        StageOptions,
        as_of=st.dates(),
        window=st.builds(Window, st.dates(), st.dates()),
        first_accreditation=st.sampled_from(FirstAccreditation),
        accredited=st.sampled_from(Accredited),
        only_accredited=st.booleans(),
        snapshot=st.one_of(
            st.just(SnapshotChoice(newest_only=True)),
            st.builds(SnapshotChoice, until=st.dates() | st.just(LAST)),
        ),
    )
)
def test_options_come_back_from_a_run_record_as_they_were(chosen):
    assert StageOptions.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


@pytest.mark.parametrize(
    ("instant", "today"),
    [
        ("2026-01-05T00:00:00+00:00", "2026-01-05"),
        ("2026-01-05T23:59:59+00:00", "2026-01-05"),
        ("2026-01-06T00:00:00+00:00", "2026-01-06"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC0", "EAST-14", "WEST+12"])
def test_today_is_the_utc_date_wherever_the_machine_is(instant, today, zone, monkeypatch):
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            seconds = datetime.datetime.fromisoformat(instant).timestamp()
            return datetime.datetime.fromtimestamp(seconds, tz)

    with monkeypatch.context() as patched:
        patched.setattr(
            options, "datetime", SimpleNamespace(**vars(datetime) | {"datetime": Clock})
        )
        patched.setenv("TZ", zone)
        time.tzset()
        chosen = options_from_words(None, {"months": 0})
    time.tzset()
    assert chosen == StageOptions(day(today), Window(day(today), day(today)))


def test_what_a_user_does_not_choose_is_as_the_contract_says():
    assert options_from_words("2025-08-31", {}) == StageOptions(
        as_of=day("2025-08-31"),
        window=Window(day("2025-08-31"), day("2026-02-28")),
        first_accreditation=FirstAccreditation.LISTED,
        accredited=Accredited.CURRENT,
        only_accredited=False,
        snapshot=SnapshotChoice(until=LAST, newest_only=False),
    )
