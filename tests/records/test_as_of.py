"""Today is one UTC date of a run; --as-of takes a day as YYYY-MM-DD and nothing else."""

import datetime
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthpipe.errors import UsageError
from healthpipe.stages import options
from healthpipe.stages.options import RawOptions, SnapshotChoice, StageOptions, Window, parse_day
from tests.conftest import AS_OF
from tests.support.days import day
from tests.support.records import csv_rows, facility, write_records

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
        lambda: RawOptions().checked(text),
        lambda: RawOptions.from_json({"snapshot": text}).checked("2026-01-05"),
    ):
        with pytest.raises(UsageError) as refusal:
            parse()
        assert refusal.value.exit_code == 2


@given(st.dates())
def test_every_day_as_yyyy_mm_dd_is_a_day(date):
    text = f"{date.year:04}-{date.month:02}-{date.day:02}"
    assert parse_day("--as-of", text) == date


@pytest.mark.pitfall(21)
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
        chosen = RawOptions(months=0).checked(None)
    time.tzset()
    assert chosen == StageOptions(day(today), Window(day(today), day(today)))


@pytest.mark.pitfall(21)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_the_local_time_zone_moves_neither_the_window_nor_today(tmp_path, zone):
    """Of these two zones one at least is always on another day than UTC."""
    days = ["2026-02-14", "2026-02-15", "2026-08-15", "2026-08-16"]
    write_records(tmp_path / "in.jsonl", *(facility(day, day) for day in days))

    def call(*arguments):
        command = [sys.executable, "-m", "healthpipe", *arguments]
        environment = os.environ | {"TZ": zone}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout

    out = call("filter-expiring", "in.jsonl", "--as-of", AS_OF, "--format", "csv", "-o", "-")
    assert [row[0] for row in csv_rows(out)] == ["2026-02-15", "2026-08-15"]
    before = datetime.datetime.now(datetime.UTC).date()
    document = json.loads(call("extract", "in.jsonl", "--json"))
    after = datetime.datetime.now(datetime.UTC).date()
    assert document["as_of"] in {f"{before}", f"{after}"}
    assert document["run_id"][:8] in {f"{before:%Y%m%d}", f"{after:%Y%m%d}"}
