"""Broken rules and vanished fields are judged feed by feed, against bounds and the live run."""

import datetime

import pytest

from healthpipe.choices import Accredited, FirstAccreditation, Gate
from healthpipe.contract import Reason
from healthpipe.errors import UsageError
from healthpipe.ingest.manifest import feed_of
from healthpipe.publishing.gates import RawGates
from healthpipe.publishing.meaning import Comparison, judge_fields, judge_issues
from healthpipe.stages.figures import COUNTED_FIELDS, FeedFigures, RunFigures
from healthpipe.stages.rules import Rules

DAY = datetime.date(2026, 2, 15)
FEED = "west-#.jsonl"


def feed(records=100, reasons=None, **counts) -> FeedFigures:
    """A feed whose records have every field and one sound accreditation each."""
    full = dict.fromkeys(("items", "objects", "given_dates", "dates"), records)
    fields = dict.fromkeys(COUNTED_FIELDS, records) | counts.pop("fields", {})
    return FeedFigures(records=records, fields=fields, reasons=reasons or {}, **full | counts)


def run(feeds, **more) -> RunFigures:
    return RunFigures(
        accredited=Accredited.CURRENT,
        first_accreditation=FirstAccreditation.LISTED,
        feeds=feeds,
        **more,
    )


def issues(new, live=None, arrived=None, rules=(), **gates):
    comparison = Comparison(
        DAY, run({FEED: new}, arrived={FEED: arrived} if arrived else None), live and run(live)
    )
    found = judge_issues(comparison, RawGates(**gates).checked(), Rules.choose(rules))
    return {(each.subject, each.level.value) for each in found if each.level != "ok"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("west-07.jsonl", FEED),
        ("2026-02-14/west-07.jsonl", FEED),
        ("snapshot_date=2026-02-14/west-08.jsonl", FEED),
        ("north/2026-02-14/west-1.jsonl", "north/west-#.jsonl"),
        ("2026/02/14/west-1.jsonl", "#/#/#/west-#.jsonl"),
        ("2026-02-30/west-1.jsonl", "#-#-#/west-#.jsonl"),
    ],
)
def test_files_of_one_sender_are_one_feed(name, expected):
    assert feed_of(name) == expected


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        (feed(reasons={"facility_name_missing": 21}), Reason.FACILITY_NAME_MISSING),
        (feed(reasons={"state_missing": 21}), Reason.STATE_MISSING),
        (
            feed(fields={"employee_count": 40}, reasons={"employee_count_invalid": 9}),
            Reason.EMPLOYEE_COUNT_INVALID,
        ),
        (
            feed(items=50, objects=30, given_dates=30, dates=30,
                 reasons={"accreditation_invalid": 20}),
            Reason.ACCREDITATION_INVALID,
        ),
        (
            feed(objects=50, given_dates=30, dates=30, items=50,
                 reasons={"accreditation_date_missing": 20}),
            Reason.ACCREDITATION_DATE_MISSING,
        ),
        (
            feed(given_dates=30, dates=20, objects=30, items=30,
                 reasons={"accreditation_date_invalid": 10}),
            Reason.ACCREDITATION_DATE_INVALID,
        ),
    ],
)  # fmt: skip
def test_above_a_fifth_of_what_could_break_a_rule_the_gate_fails(figures, reason):
    assert issues(figures) == {(reason, "fail")}


@pytest.mark.parametrize(
    ("broken", "level"), [(5, None), (6, "warn"), (20, "warn"), (21, "fail"), (100, "fail")]
)
def test_up_to_5_percent_is_silent_and_up_to_20_warns(broken, level):
    found = issues(feed(reasons={"state_missing": broken}))

    assert found == ({("state_missing", level)} if level else set())


@pytest.mark.parametrize(
    ("records", "broken", "level"),
    [
        (9, 4, "warn"),
        (9, 5, "fail"),
        (3, 3, "fail"),
        (4, 3, "warn"),
        (2, 2, "warn"),
        (1, 1, "warn"),
    ],
)
def test_it_fails_where_five_records_are_affected_or_three_and_all(records, broken, level):
    assert issues(feed(records, reasons={"state_missing": broken})) == {("state_missing", level)}


@pytest.mark.parametrize(("now", "level"), [(30, "warn"), (35, "warn"), (36, "fail")])
def test_a_rate_at_most_five_points_above_the_live_one_only_warns(now, level):
    live = {FEED: feed(reasons={"state_missing": 30})}

    assert issues(feed(reasons={"state_missing": now}), live) == {("state_missing", level)}


def test_the_live_rate_is_that_of_the_same_feed():
    live = {"east.jsonl": feed(reasons={"state_missing": 100})}

    assert issues(feed(reasons={"state_missing": 100}), live) == {("state_missing", "fail")}


@pytest.mark.parametrize(("records", "found"), [(19, set()), (20, {("state_missing", "fail")})])
def test_new_files_are_judged_by_themselves_from_twenty_records_on(records, found):
    arrived = feed(records, reasons={"state_missing": records})

    assert issues(feed(1000), {FEED: feed(1000)}, arrived) == found


@pytest.mark.parametrize("move", ["state_missing=off", "state_missing=reject"])
def test_a_rule_that_is_off_or_rejects_is_not_judged(move):
    assert issues(feed(reasons={"state_missing": 100}), rules=[move]) == set()


def test_the_bounds_can_be_moved_for_all_rules_and_for_one():
    many = feed(reasons={"state_missing": 50, "facility_name_missing": 50})

    assert issues(many, max_issues="50%") == {
        ("state_missing", "warn"),
        ("facility_name_missing", "warn"),
    }
    assert issues(many, gate=["state_missing=60%"]) == {
        ("state_missing", "warn"),
        ("facility_name_missing", "fail"),
    }
    assert issues(many, max_issues="50%", warn_issues="50%") == set()
    assert issues(many, max_issues="49") == {
        ("state_missing", "fail"),
        ("facility_name_missing", "fail"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sate_missing=5%", "--gate 'sate_missing' is no rule that has a gate"),
        ("facility_id_missing=5%", "--gate 'facility_id_missing' is no rule that has a gate"),
        ("state_missing=many", "--gate state_missing: 'many' is neither"),
        ("state_missing", "--gate state_missing: '' is neither"),
    ],
)
def test_a_wrong_bound_of_a_rule_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        RawGates(gate=[text]).checked()


def fields(new, live, arrived=None):
    comparison = Comparison(
        DAY, run({FEED: new}, arrived={FEED: arrived} if arrived else None), live and run(live)
    )
    found = judge_fields(comparison)
    return {(each.subject, each.level.value) for each in found if each.level != "ok"}


@pytest.mark.parametrize(
    ("had", "has", "found"),
    [
        (100, 0, {("employee_count", "fail")}),
        (20, 0, {("employee_count", "fail")}),
        (19, 0, set()),
        (100, 1, set()),
    ],
)
def test_a_field_that_a_fifth_had_and_none_has_has_vanished(had, has, found):
    live = {FEED: feed(fields={"employee_count": had})}

    assert fields(feed(fields={"employee_count": has}), live) == found


def test_of_a_field_and_those_inside_it_the_outer_one_is_named():
    gone = dict.fromkeys(("accreditations", "accreditation_body", "valid_until"), 0)

    assert fields(feed(fields=gone), {FEED: feed()}) == {("accreditations", "fail")}
    assert fields(feed(fields={"valid_until": 0}), {FEED: feed()}) == {("valid_until", "fail")}


@pytest.mark.parametrize(("records", "level"), [(2, "warn"), (3, "fail")])
def test_a_field_vanishes_from_three_records_at_least(records, level):
    without = feed(records, fields={"services": 0})

    assert fields(without, {FEED: feed(records)}) == {("services", level)}


def test_a_field_may_vanish_from_the_new_files_alone():
    without = feed(20, fields={"services": 0})

    assert fields(feed(), {FEED: feed()}, arrived=without) == {("services", "fail")}


def test_without_a_live_run_or_in_a_new_feed_nothing_vanishes():
    without = feed(fields={"services": 0})

    assert fields(without, None) == set()
    assert fields(without, {"east.jsonl": feed()}) == set()


def test_the_line_has_figure_bound_and_feed():
    comparison = Comparison(DAY, run({FEED: feed(reasons={"state_missing": 21})}), None)

    (result,) = judge_issues(comparison, RawGates().checked(), Rules())

    assert result.message == (
        "state_missing: 21 of 100 records in west-#.jsonl (21 %), more than 20%"
    )
    assert (result.gate, result.key) == (Gate.ISSUES, "issues state_missing west-#.jsonl")


def test_many_small_feeds_that_are_all_wrong_fail_together():
    """Two records each are too few to fail."""
    small = feed(2, reasons={"state_missing": 2})
    comparison = Comparison(DAY, run({f"{letter}.jsonl": small for letter in "abc"}), None)

    found = judge_issues(comparison, RawGates().checked(), Rules())

    assert {(each.feed, each.level.value) for each in found} == {
        ("all feeds", "fail"),
        *((f"{letter}.jsonl", "warn") for letter in "abc"),
    }


def test_all_feeds_together_say_nothing_that_one_of_them_says():
    feeds = {FEED: feed(reasons={"state_missing": 100}), "east.jsonl": feed()}

    found = judge_issues(Comparison(DAY, run(feeds), None), RawGates().checked(), Rules())

    assert {each.feed for each in found} == {FEED}
