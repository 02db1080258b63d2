"""Snapshot dates, which of several records of a facility wins, and --snapshot."""

import datetime

import pytest

from healthpipe.errors import UsageError
from healthpipe.stages.options import SnapshotChoice
from tests.support.days import LAST, day
from tests.support.records import facility, write_records
from tests.support.source_files import find_sources, write_files


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


@pytest.mark.parametrize("text", ["LATEST", "Newest", "latest "])
def test_other_words_are_no_snapshot(text):
    with pytest.raises(UsageError):
        SnapshotChoice.parse(text)


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("a.json", None),
        ("2026-11-20/a.json", "2026-11-20"),
        ("snapshot_date=2026-11-20/a.json", "2026-11-20"),
        ("2026-11-20/deep/er/a.json", "2026-11-20"),
        ("2026-11-20/2026-11-21/a.json", "2026-11-21"),
        ("2026-11-21/snapshot_date=2026-11-20/x/a.json", "2026-11-20"),
        ("2026-02-30/a.json", None),
        ("2026-11-20/2026-02-30/a.json", "2026-11-20"),
        ("0000-01-01/a.json", None),
        ("20261120/a.json", None),
        ("2026-11-20T00/a.json", None),
        ("x2026-11-20/a.json", None),
        ("date=2026-11-20/a.json", None),
        ("٢٠٢٦-11-20/a.json", None),
        ("2026-11-20.json", None),
    ],
)
def test_the_nearest_dated_folder_gives_the_snapshot_date(name, date, tmp_path):
    write_files(tmp_path / "in", name)
    (file,) = find_sources(tmp_path, tmp_path / "in").files
    assert file.folder_date == (date and datetime.date.fromisoformat(date))
    assert find_sources(tmp_path, file.uri).files[0].folder_date == file.folder_date


@pytest.mark.pitfall(27)
@pytest.mark.sample
@pytest.mark.every_engine
def test_which_of_several_records_wins_is_decided(result, tmp_path):
    def named(name, facility_name, day=None):
        return facility(name, facility_name=facility_name, snapshot_date=day)

    write_records(
        tmp_path / "in" / "2026-01-01" / "a.jsonl",
        named("by date", "winner", "2026-02-01"),
        named("by folder", "loser"),
        named("by file", "loser"),
        named("by line", "winner, the greater one"),
        named("by line", "loser"),
        named("no date", "winner"),
    )
    write_records(tmp_path / "in" / "2026-01-01" / "b.jsonl", named("by file", "winner"))
    write_records(tmp_path / "in" / "2026-01-02" / "a.jsonl", named("by date", "loser"))
    write_records(tmp_path / "in" / "2026-01-02" / "b.jsonl", named("by folder", "winner"))
    write_records(tmp_path / "in" / "z.jsonl", named("no date", "loser"))

    found = result("extract", "in")

    assert [row[:2] for row in found.rows] == [
        ["by date", "winner"],
        ["by file", "winner"],
        ["by folder", "winner"],
        ["by line", "winner, the greater one"],
        ["no date", "winner"],
    ]
    assert found.records == {
        "lines": 10,
        "accepted": 10,
        "rejected": 0,
        "superseded": 5,
        "resolved": 0,
    }
