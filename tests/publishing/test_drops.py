"""What a run knows less of than the live run, or differently, is judged; both as of one day."""

import datetime

import pytest

from healthpipe.choices import Accredited, FirstAccreditation
from healthpipe.publishing.drops import judge_age, judge_changes, judge_drops
from healthpipe.publishing.gates import RawGates
from healthpipe.publishing.meaning import Comparison
from healthpipe.stages.figures import FeedChanges, FeedFigures, RunFigures
from tests.publishing.test_meaning import DAY, FEED, run

LATER = DAY + datetime.timedelta(days=100)
BEFORE = DAY - datetime.timedelta(days=1)


def days(count: int) -> datetime.timedelta:
    return datetime.timedelta(days=count)


def feed(valid=100, lapsed=0, records=None, snapshots=None) -> FeedFigures:
    """Facilities whose latest date is ahead or past; others have none."""
    expiries = {LATER: valid, BEFORE: lapsed}
    held = valid + lapsed if records is None else records
    return FeedFigures(
        records=held, accredited=valid, expiries=expiries, snapshots=snapshots or {DAY: held}
    )


def drops(new: dict, live: dict | None, *, new_any=False, live_any=False, **gates):
    modes = {True: Accredited.ANY, False: Accredited.CURRENT}
    comparison = Comparison(
        DAY,
        _with_mode(run(new), modes[new_any]),
        _with_mode(run(live), modes[live_any]) if live else None,
    )
    return judge_drops(comparison, RawGates(**gates).checked())


def _with_mode(figures: RunFigures, mode: Accredited) -> RunFigures:
    return RunFigures(
        accredited=mode, first_accreditation=FirstAccreditation.LISTED, feeds=figures.feeds
    )


def told(results) -> set[tuple]:
    return {
        (each.gate.value, each.feed, each.level.value) for each in results if each.level != "ok"
    }


@pytest.mark.parametrize(("now", "level"), [(80, None), (79, "fail"), (0, "fail"), (150, None)])
def test_more_than_a_fifth_of_the_accredited_fewer_fails(now, level):
    found = told(drops({FEED: feed(now, records=100)}, {FEED: feed(100)}))

    every = {("accredited", "all feeds", level), ("dated", "all feeds", level)}
    assert found == (every if level else set())


def test_that_time_passes_is_no_drop():
    """Half of the live run's accreditations have lapsed since: both runs are counted as of now."""
    live = {FEED: FeedFigures(records=100, accredited=100, expiries={BEFORE: 50, LATER: 50})}

    assert told(drops({FEED: feed(50, lapsed=50)}, live)) == set()
    assert told(drops({FEED: feed(30, lapsed=70)}, live)) == {("accredited", "all feeds", "fail")}


def test_a_feed_that_loses_its_accreditations_fails_though_others_hide_it():
    live = {FEED: feed(50), "east.jsonl": feed(950)}
    new = {FEED: feed(0, records=50), "east.jsonl": feed(950)}

    assert told(drops(new, live)) == {("accredited", FEED, "fail"), ("dated", FEED, "fail")}


def test_facilities_that_come_from_another_feed_now_are_no_drop():
    live = {FEED: feed(90, records=100), "east.jsonl": feed(900)}
    moved = {FEED: feed(9, records=10), "new.jsonl": feed(81, records=90), "east.jsonl": feed(900)}

    assert told(drops(moved, live)) == set()


@pytest.mark.parametrize(
    ("live", "now", "level"),
    [(5, 0, "fail"), (3, 0, "fail"), (2, 0, "warn"), (9, 5, "warn"), (9, 4, "fail")],
)
def test_few_facilities_only_warn(live, now, level):
    found = told(drops({FEED: feed(now, records=live)}, {FEED: feed(live)}))

    assert found == {("accredited", "all feeds", level), ("dated", "all feeds", level)}


def test_the_bound_is_that_of_max_drop():
    assert told(drops({FEED: feed(50, records=100)}, {FEED: feed(100)}, max_drop="50%")) == set()
    assert told(drops({FEED: feed(95, records=100)}, {FEED: feed(100)}, warn_drop="1%")) == {
        ("accredited", "all feeds", "warn"),
        ("dated", "all feeds", "warn"),
    }


@pytest.mark.parametrize(("new", "live"), [(True, False), (False, True)])
def test_another_meaning_of_accredited_is_not_judged(new, live):
    found = drops({FEED: feed(0, records=100)}, {FEED: feed(100)}, new_any=new, live_any=live)

    assert told(found) == {("dated", "all feeds", "fail")}
    (said,) = (each.message for each in found if each.gate == "accredited")
    assert "not judged: the live run had --accredited" in said


def test_with_any_accreditation_the_facilities_that_have_one_are_counted():
    live = {FEED: FeedFigures(records=100, accredited=100)}
    new = {FEED: FeedFigures(records=100, accredited=79)}

    assert told(drops(new, live, new_any=True, live_any=True)) == {
        ("accredited", "all feeds", "fail")
    }


def test_without_figures_of_the_live_run_nothing_is_judged():
    found = drops({FEED: feed(0, records=100)}, None)

    assert told(found) == set()
    assert all("not judged: there is no live run with figures" in each.message for each in found)


def newest(now: dict, live: dict) -> set[tuple]:
    new_feed = FeedFigures(records=sum(now.values()), snapshots=now)
    live_feed = FeedFigures(records=sum(live.values()), snapshots=live)
    return told(drops({FEED: new_feed}, {FEED: live_feed}))


FAILS = {("newest_snapshot", FEED, "fail")}


@pytest.mark.parametrize(
    ("now", "live", "found"),
    [
        # Half a delivery: older snapshots fill the gap.
        ({BEFORE: 50, DAY: 50}, {BEFORE: 100}, FAILS),
        ({BEFORE: 20, DAY: 80}, {BEFORE: 100}, set()),
        ({BEFORE: 21, DAY: 79}, {BEFORE: 100}, FAILS),
        # Deltas: the live run's newest snapshot is a part of its feed.
        ({BEFORE: 100, DAY: 1}, {BEFORE - days(1): 21, BEFORE: 79}, set()),
        ({BEFORE: 99, DAY: 1}, {BEFORE - days(1): 20, BEFORE: 80}, FAILS),
        # Nothing newer has come.
        ({DAY: 10}, {DAY: 100}, set()),
        ({BEFORE: 10}, {DAY: 100}, set()),
        # A day that is not yet is no snapshot date.
        ({BEFORE: 100, LATER: 1}, {BEFORE: 100}, set()),
        ({BEFORE: 99, DAY + days(1): 1}, {BEFORE: 100}, FAILS),
        ({}, {BEFORE: 100}, set()),
    ],
)
def test_the_newest_snapshot_of_a_feed_is_as_large_as_the_live_one(now, live, found):
    assert newest(now, live) == found


def test_new_files_without_a_record_are_a_snapshot_of_nothing():
    held = {FEED: FeedFigures(records=30, snapshots={BEFORE: 30})}
    new = RunFigures(
        accredited=Accredited.CURRENT,
        first_accreditation=FirstAccreditation.LISTED,
        feeds=held,
        empty_arrivals=[FEED],
    )

    found = judge_drops(Comparison(DAY, new, run(held)), RawGates().checked())

    assert told(found) == FAILS


def changes(**counts):
    new, live = run({FEED: feed()}), run({FEED: feed()})
    changed = RunFigures(
        accredited=new.accredited,
        first_accreditation=new.first_accreditation,
        feeds=new.feeds,
        changes={FEED: FeedChanges(**counts)},
    )
    return {each.subject for each in judge_changes(Comparison(DAY, changed, live)) if each.subject}


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"kept": 100}, set()),
        ({"kept": 80, "gone": 20}, set()),
        ({"kept": 79, "gone": 21}, {"live facilities gone"}),
        ({"kept": 100, "state": 21}, {"facilities with other states"}),
        ({"kept": 100, "facility_name": 21}, {"facilities with other names"}),
        ({"kept": 100, "employee_count": 21}, {"facilities with other employee counts"}),
        ({"kept": 100, "number_of_services": 21}, {"facilities with other numbers of services"}),
        ({"kept": 100, "dates": 21}, {"facilities with other dates"}),
        ({"kept": 100, "dates": 20, "state": 20}, set()),
        ({"kept": 3, "state": 2}, set()),
        ({"kept": 3, "state": 3}, {"facilities with other states"}),
    ],
)
def test_what_differs_in_more_than_a_fifth_of_the_facilities_is_warned_of(counts, found):
    assert changes(**counts) == found


@pytest.mark.parametrize(("now", "found"), [(120, set()), (121, {"more facilities"})])
def test_a_fifth_more_facilities_is_warned_of(now, found):
    results = judge_changes(Comparison(DAY, run({FEED: feed(now)}), run({FEED: feed(100)})))

    assert {each.subject for each in results if each.subject} == found
    assert {each.level.value for each in results} == {"warn" if found else "ok"}


@pytest.mark.parametrize(
    ("snapshots", "limit", "found"),
    [
        ({DAY - days(45): 9}, "45d", set()),
        ({DAY - days(46): 9}, "45d", {("snapshot_age", FEED, "fail")}),
        ({DAY - days(46): 9}, None, set()),
        ({DAY - days(46): 9, DAY: 1}, "45d", set()),
        ({}, "45d", {("snapshot_age", FEED, "fail")}),
        ({}, None, set()),
        ({DAY + days(1): 9}, "1d", set()),
        (
            {DAY + days(2): 9},
            "1d",
            {("snapshot_age", FEED, "fail"), ("snapshot_dates", FEED, "warn")},
        ),
        ({DAY - days(2): 9}, "36h", {("snapshot_age", FEED, "fail")}),
    ],
)
def test_a_snapshot_is_at_most_so_old_where_that_is_asked_for(snapshots, limit, found):
    new = run({FEED: FeedFigures(records=9, snapshots=snapshots)})

    results = judge_age(Comparison(DAY, new, None), RawGates(max_snapshot_age=limit).checked())

    assert told(results) == found


@pytest.mark.parametrize(
    ("records", "current", "found"),
    [(20, 0, {"new files"}), (20, 1, set()), (19, 0, set())],
)
def test_new_files_without_a_current_record_are_warned_of(records, current, found):
    """Their snapshot dates are older than what is live, which nothing replaces."""
    new = RunFigures(
        accredited=Accredited.CURRENT,
        first_accreditation=FirstAccreditation.LISTED,
        feeds={FEED: feed()},
        arrived={FEED: FeedFigures(records=records)},
        arrived_current={FEED: current},
    )

    results = judge_changes(Comparison(DAY, new, run({FEED: feed()})))

    assert {each.subject for each in results if each.subject} == found
