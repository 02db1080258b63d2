"""The window of what expires: calendar months or days ahead, both ends included."""

import datetime

import pytest

from healthpipe.errors import UsageError
from healthpipe.stages.options import RawOptions, Window
from tests.support.days import FIRST, day
from tests.support.records import facility, write_records


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
        RawOptions.from_json(ahead).checked("2025-08-31")


@pytest.mark.pitfall(22)
@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("as_of", "last", "next_day"),
    [
        ("2025-07-01", "2026-01-01", "2026-01-02"),  # 184 days
        ("2025-08-31", "2026-02-28", "2026-03-01"),  # 181 days
        ("2023-12-31", "2024-06-30", "2024-07-01"),  # 182 days
    ],
)
def test_six_months_are_calendar_months(result, tmp_path, as_of, last, next_day):
    eve = datetime.date.fromisoformat(as_of) - datetime.timedelta(days=1)
    write_records(
        tmp_path / "in.jsonl",
        *(facility(day, day) for day in (f"{eve}", as_of, last, next_day)),
    )

    assert result("filter-expiring", "in.jsonl", as_of=as_of).first_column == [as_of, last]
