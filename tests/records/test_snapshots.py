"""Snapshot dates, which of several records of a facility wins, and --snapshot."""

import datetime

import pytest

from healthpipe.errors import UsageError
from healthpipe.stages.options import SnapshotChoice
from tests.support.days import LAST, day
from tests.support.records import as_line, facility, parquet_rows, write_records
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


def same_day(name, facility_name="x", **fields):
    """A record of a day that all of these share."""
    return facility(name, facility_name=facility_name, snapshot_date="2026-01-05", **fields)


@pytest.mark.sample
@pytest.mark.every_engine
def test_two_records_that_neither_date_nor_source_orders_are_an_issue_of_their_facility(
    result, tmp_path
):
    write_records(
        tmp_path / "in" / "a.jsonl",
        same_day("thrice", "a"), same_day("thrice", "b"), same_day("thrice", "c"),
        facility("undated", employee_count=1), facility("undated", employee_count=2),
        same_day("equal lines"), same_day("equal lines"),
        same_day("by date", "a"), same_day("by date", "b"),
        same_day("by file", "a"), same_day("by file", "b"),
    )  # fmt: skip
    write_records(
        tmp_path / "in" / "b.jsonl",
        facility("by date", snapshot_date="2026-01-06"),
        same_day("by file"),
        facility("spaces"), b" " + as_line(facility("spaces")),
    )  # fmt: skip

    found = result("extract", "in")

    assert found.issues == {"order_undecided": 3}
    assert found.records["rejected"] == 0
    assert found.records["superseded"] == 9
    assert [row[1] for row in found.rows if row[0] == "thrice"] == ["c"]


def test_the_issue_names_source_facility_and_field_in_the_order_of_the_others(cli, tmp_path):
    write_records(
        tmp_path / "in.jsonl",
        same_day("B", "a"), same_day("B", "b"), same_day("A", "a"), same_day("A", "b"),
        same_day("C", state="ZZ"),
    )  # fmt: skip
    expected = [
        ("in.jsonl", "A", "order_undecided", "warn", "snapshot_date", None),
        ("in.jsonl", "B", "order_undecided", "warn", "snapshot_date", None),
        ("in.jsonl", "C", "state_not_recognised", "warn", "location.state", None),
    ]

    for call in (["extract"], ["orchestrate"]):
        outcome = cli(*call, "in.jsonl", "--as-of", "2026-01-06", "--json")
        issues = parquet_rows(f"data/runs/{outcome.document['run_id']}/issues.parquet")
        assert issues == expected
    assert "issues: 2 order_undecided, 1 state_not_recognised" in cli("extract", "in.jsonl").err


@pytest.mark.parametrize(
    ("options", "issues"),
    [
        (["--strict"], {"order_undecided": 1}),
        (["--rule", "order_undecided=warn"], {"order_undecided": 1}),
        (["--rule", "order_undecided=off"], {}),
        (["--strict", "--rule", "order_undecided=off"], {}),
    ],
)
def test_an_undecided_order_is_a_warning_or_nothing_and_never_rejects(
    cli, tmp_path, options, issues
):
    write_records(tmp_path / "in.jsonl", same_day("A", "a"), same_day("A", "b"))

    document = cli("extract", "in.jsonl", "--json", *options).document

    assert document["issues"] == issues
    assert (document["records"]["rejected"], document["records"]["superseded"]) == (0, 1)


def test_records_that_do_not_take_part_leave_nothing_undecided(cli, tmp_path):
    later = {"snapshot_date": "2026-01-06"}
    write_records(
        tmp_path / "in.jsonl",
        same_day("A"), facility("A", facility_name="a", **later), facility("A", **later),
        same_day("B", "a"), {"facility_id": "B", "snapshot_date": "2026-01-05"},
    )  # fmt: skip

    def issues(*options):
        return cli("extract", "in.jsonl", "--json", *options).document["issues"]

    assert issues()["order_undecided"] == 2
    assert issues("--snapshot", "newest")["order_undecided"] == 1
    assert issues("--snapshot", "2026-01-05")["order_undecided"] == 1
    # What is rejected is no record: only one of B is left.
    assert issues("--strict")["order_undecided"] == 1


@pytest.mark.every_engine
def test_a_snapshot_date_that_is_no_day_gives_way_to_the_day_of_the_folder(result, tmp_path):
    wrong = ["2026-03-01T06:00:00Z", "03/01/2026", 20260301, {"day": "2026-03-01"}, "soon"]
    for folder, name in (("2026-01-05", "the loser, by name and by bytes"), ("2026-02-02", "a")):
        records = (
            facility(f"F{n}", facility_name=name, snapshot_date=value)
            for n, value in enumerate(wrong)
        )
        write_records(tmp_path / "in" / folder / f"{name[0]}.jsonl", *records)

    found = result("extract", "in")

    assert [row[:2] for row in found.rows] == [[f"F{n}", "a"] for n in range(len(wrong))]
    assert found.issues == {"snapshot_date_invalid": 2 * len(wrong)}
