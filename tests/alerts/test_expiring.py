"""Alerts about accreditations: each is told once per tier, in messages of a bounded size."""

import datetime
import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthpipe.alerts.expiry import DueAnnouncements, MessageHead, announcement_messages
from healthpipe.alerts.notifier import ExpiringRow, Notifier
from healthpipe.storage.layout import Root
from healthpipe.storage.local import LocalStorage
from tests.support.recording_channel import RecordingChannel, dead

TODAY = datetime.date(2026, 2, 15)
DOCUMENT = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
SHOW_ALL = "healthpipe filter-expiring --grain accreditation -o -"


@pytest.fixture
def root(tmp_path):
    return Root(str(tmp_path / "root"))


def tier_of(days):
    if days < 0:
        return "expired"
    return next((tier for tier, most in TIERS if days <= most), "later")


TIERS = (("critical", 30), ("high", 60), ("medium", 90))


def row(days, facility="F1", today=TODAY, number="A-1", name="Clinic", until=None):
    """An accreditation with that many days left on TODAY, as it is on `today`."""
    until = until or TODAY + datetime.timedelta(days)
    left = (until - today).days
    return ExpiringRow(facility, name, "TX", "Joint Commission", number, until, left, tier_of(left))


def announce(root, channel, rows, today=TODAY, **options):
    now = datetime.datetime.combine(today, datetime.time(6), datetime.UTC)
    return Notifier(root, channel, now).announce_expiring("run-1", today, rows, SHOW_ALL, **options)


def lines_of(*messages):
    """The lines about accreditations of messages, as their seven facts."""
    lines = (line.split(" | ") for message in messages for line in message.body.splitlines())
    return [line for line in lines if len(line) == 7 and line[0] != "facility id"]


def facilities(channel):
    return [line[0] for line in lines_of(*channel.taken)]


@pytest.mark.parametrize("days", [0, 30, 31, 60, 61, 90, 91, 180])
def test_what_is_in_the_window_is_announced_once(root, days):
    channel = RecordingChannel()

    first = announce(root, channel, [row(days)])
    second = announce(root, channel, [row(days)])

    assert (first.sent, first.announced, first.suppressed) == (1, 1, 0)
    assert (second.sent, second.announced, second.suppressed) == (0, 0, 1)
    until = (TODAY + datetime.timedelta(days)).isoformat()
    when = f"in {days} days" if days else "today"
    assert lines_of(*channel.taken) == [
        ["F1", "Clinic", "TX", "Joint Commission", "A-1", until, when]
    ]


def test_two_days_with_the_same_rows_announce_the_one_crossing_and_nothing_else(root):
    days_left = (31, 10, 50, 100)  # only the first crosses into another tier overnight
    channel = RecordingChannel()
    for today in (TODAY, TODAY + datetime.timedelta(1)):
        rows = [row(days, f"F{days}", today) for days in days_left]
        announce(root, channel, rows, today)

    assert [sorted(f[0] for f in lines_of(message)) for message in channel.taken] == [
        ["F10", "F100", "F31", "F50"],
        ["F31"],
    ]
    assert channel.subjects[1] == "healthpipe: accreditations due: 1 critical"


def test_every_tier_is_announced_once_until_it_has_lapsed(root):
    channel = RecordingChannel()
    for number in range(0, 140, 2):
        today = TODAY + datetime.timedelta(number)
        announce(root, channel, [row(100, today=today)], today)

    days = [line[6] for line in lines_of(*channel.taken)]
    assert days == ["in 100 days", "in 90 days", "in 60 days", "in 30 days", "2 days ago"]


def test_an_earlier_day_does_not_announce_a_less_urgent_tier(root):
    channel = RecordingChannel()
    earlier = TODAY - datetime.timedelta(40)
    for today in (TODAY, earlier, TODAY):
        announce(root, channel, [row(10, today=today)], today)

    assert len(channel.taken) == 1


@pytest.mark.parametrize("changed", [{"number": "A-2"}, {"facility": "F2"}, {"days": 11}])
def test_another_accreditation_is_announced_by_itself(root, changed):
    channel = RecordingChannel()
    announce(root, channel, [row(10)])

    assert announce(root, channel, [row(**{"days": 10, **changed})]).announced == 1


def test_another_body_makes_another_accreditation_and_another_name_does_not(root):
    channel, known = RecordingChannel(), row(10)
    announce(root, channel, [known])

    assert announce(root, channel, [known._replace(facility_name="New", state="CA")]).sent == 0
    assert announce(root, channel, [known._replace(accreditation_body="DNV")]).sent == 1
    assert announce(root, channel, [known._replace(accreditation_body=None)]).sent == 1


def test_the_same_accreditation_listed_twice_is_told_once(root):
    channel = RecordingChannel()

    assert announce(root, channel, [row(10), row(10)]).announced == 1
    assert len(lines_of(*channel.taken)) == 1


def test_what_lapsed_long_ago_is_not_announced_by_itself(root):
    channel = RecordingChannel()

    assert announce(root, channel, [row(-1), row(-2000, "F2")]).sent == 0
    assert announce(root, channel, [row(-1), row(-2000, "F2")], include_expired=True).announced == 2
    assert announce(root, channel, [row(-1), row(-2000, "F2")], include_expired=True).sent == 0
    assert facilities(channel) == ["F2", "F1"]


def test_what_lapsed_while_the_channel_was_dead_is_announced_all_the_same(root):
    channel = RecordingChannel()
    announce(root, dead(), [row(0)])
    tomorrow = TODAY + datetime.timedelta(1)

    assert announce(root, channel, [row(0, today=tomorrow)], tomorrow).announced == 1
    assert channel.subjects == ["healthpipe: accreditations due: 1 expired"]


@pytest.mark.parametrize(("days", "sent"), [(90, 0), (91, 1)])
def test_what_no_run_has_seen_for_90_days_is_forgotten(root, days, sent):
    later = TODAY + datetime.timedelta(days)
    announce(root, RecordingChannel(), [row(300)])
    announce(root, RecordingChannel(), [row(300, "F2")], later)

    assert announce(root, RecordingChannel(), [row(300)], later).sent == sent


def test_order_is_by_tier_then_date_then_facility_with_each_facility_together(root):
    channel = RecordingChannel()
    rows = [
        row(70, "B"), row(20, "C"), row(10, "D"), row(12, "A"), row(29, "D", number="A-2"),
        row(10, "B"), row(120, "A", number="A-2"), row(45, "D", number="A-3"),
    ]  # fmt: skip
    random.Random(1).shuffle(rows)

    announce(root, channel, rows)

    told = [(line[0], line[6]) for line in lines_of(*channel.taken)]
    assert told == [
        ("B", "in 10 days"),
        ("D", "in 10 days"),
        ("D", "in 29 days"),
        ("A", "in 12 days"),
        ("C", "in 20 days"),
        ("D", "in 45 days"),
        ("B", "in 70 days"),
        ("A", "in 120 days"),
    ]
    headings = re.findall(r"\n\n(\w+)", channel.taken[0].body)
    assert headings == ["facility", "critical", "high", "medium", "later"]


class Fuller(ExpiringRow):
    """A row as a careless query might give it: with more than may leave."""

    address = "MARKER-address"
    record = "MARKER-record"


def test_exactly_the_seven_facts_leave_and_the_state_holds_none(root):
    channel = RecordingChannel()
    given_row = Fuller("ID-1", "NAME-1", "TX", "BODY-1", "ACC-1", TODAY, 0, "critical")

    announce(root, channel, [given_row])

    assert lines_of(*channel.taken) == [
        ["ID-1", "NAME-1", "TX", "BODY-1", "ACC-1", "2026-02-15", "today"]
    ]
    assert "MARKER" not in channel.taken[0].body + channel.taken[0].subject
    state = LocalStorage().read(root.alerts)[0].decode()
    assert not [value for value in (*given_row[:5], "MARKER") if value in state]


@pytest.mark.pitfall(44)
def test_an_absent_fact_is_a_dash(root):
    channel = RecordingChannel()

    announce(root, channel, [ExpiringRow("F1", None, None, None, None, TODAY, 0, "critical")])

    assert lines_of(*channel.taken) == [["F1", "-", "-", "-", "-", "2026-02-15", "today"]]


def test_a_long_name_is_cut_at_100_characters(root):
    channel = RecordingChannel()

    announce(root, channel, [row(10, name="é" * 1_000_000)])

    assert lines_of(*channel.taken)[0][1] == "é" * 97 + "..."


NASTY = st.text(
    alphabet=st.one_of(
        st.characters(),
        st.sampled_from("\x00\n\r\x0b\x0c\x1b\x85\x9b\u2028\u2029\u202e\ud800\uffff"),
    ),
    max_size=300,
)


@given(name=NASTY, body=NASTY)
def test_no_name_breaks_a_line_or_steers_a_terminal(name, body):
    nasty = row(10, name=name)._replace(accreditation_body=body)
    due = DueAnnouncements.of([nasty], {}, include_expired=False, max_rows=1)

    shown = announcement_messages(due, MessageHead("/root", "run-1", TODAY, SHOW_ALL), 8000, 1)[
        0
    ].message.body

    assert len(shown.splitlines()) == 8
    assert not re.search(r"[^\n -~\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\U0010ffff]", shown)


def many(count, spread=180):
    return [row(number * 7919 % spread, f"F{number:06d}") for number in range(count)]


def test_what_is_too_much_for_one_message_comes_in_parts(root):
    channel = RecordingChannel(limit=8000)

    delivery = announce(root, channel, many(300))

    count = len(channel.taken)
    assert 2 < count <= 5
    assert (delivery.sent, delivery.announced) == (count, 300)
    for number, message in enumerate(channel.taken, start=1):
        assert message.subject.endswith(f" ({number}/{count})")
        assert len(message.subject) + len(message.body.encode()) <= 8000
    assert sorted(facilities(channel)) == sorted(each.facility_id for each in many(300))
    assert "Not listed" not in channel.taken[-1].body


@pytest.mark.parametrize(("name", "most"), [("sns", 5), ("console", 1)])
def test_what_does_not_fit_is_counted_in_the_last_message_and_announced_with_it(root, name, most):
    channel = RecordingChannel(name, limit=8000)
    rows = many(5000)

    delivery = announce(root, channel, rows)

    assert len(channel.taken) == most
    assert (delivery.sent, delivery.announced) == (most, 5000)
    left = channel.taken[-1].body.splitlines()[-1]
    counts = re.findall(r"(\d[\d,]*) (\w+)", left)
    counted = {tier: int(count.replace(",", "")) for count, tier in counts}
    tiers = {each.facility_id: each.tier for each in rows}
    told = [tiers[facility] for facility in facilities(channel)]
    for tier in ("critical", "high", "medium", "later"):
        in_all = sum(each.tier == tier for each in rows)
        assert counted.get(tier, 0) + told.count(tier) == in_all
    assert f"`{SHOW_ALL}`" in left
    assert announce(root, channel, rows).sent == 0


def test_the_command_for_what_is_left_out_shows_the_expired_too(root):
    channel = RecordingChannel("console", limit=4000)

    announce(root, channel, [row(-9, f"F{n}") for n in range(500)], include_expired=True)

    assert f"`{SHOW_ALL} --include-expired`" in channel.taken[0].body


@pytest.mark.parametrize("takes", [0, 1, 2, 4])
def test_only_what_the_channel_took_counts_as_announced(root, takes):
    broken = RecordingChannel(limit=8000, takes=takes)
    rows = many(5000)

    delivery = announce(root, broken, rows)

    told = facilities(broken)
    assert (delivery.sent, delivery.announced) == (takes, len(told))
    assert delivery.problem == "the line is dead; wait"
    assert broken.attempts == takes + 1
    channel = RecordingChannel(limit=8000)
    assert announce(root, channel, rows).announced == 5000 - len(told)
    assert not set(facilities(channel)) & set(told)
    assert facilities(channel)[0] not in told


@given(
    limit=st.integers(2_500, 30_000),
    count=st.integers(1, 250),
    name=st.text(max_size=150),
    takes=st.one_of(st.none(), st.integers(0, 5)),
)
def test_whatever_the_limit_every_message_keeps_it_and_every_row_is_told_or_due(
    tmp_path_factory, limit, count, name, takes
):
    root = Root(str(tmp_path_factory.mktemp("root")))
    rows = [each._replace(facility_name=name) for each in many(count)]
    channel = RecordingChannel(limit=limit, takes=takes)

    delivery = announce(root, channel, rows)

    assert len(channel.taken) <= 5
    assert all(m.size <= limit for m in channel.taken)
    rest = announce(root, RecordingChannel(limit=limit), rows)
    assert delivery.announced + rest.announced == count
    assert rest.suppressed == delivery.announced


def test_rows_may_be_a_generator_in_any_order(root):
    rows, channel = many(200), RecordingChannel(limit=8000)
    announce(root, channel, iter(rows))
    shuffled, other = random.Random(2).sample(rows, len(rows)), RecordingChannel(limit=8000)
    announce(Root(f"{root.uri}-other"), other, iter(shuffled))

    assert facilities(channel) == facilities(other)


def test_the_state_stays_small_and_tells_tier_and_day(root):
    announce(root, RecordingChannel(), many(3000))

    content = LocalStorage().read(root.alerts)[0]
    document = json.loads(content)
    assert document["schema_version"] == 1
    tiers = [group["tier"] for group in document["announced"]]
    assert sorted(tiers) == ["critical", "high", "later", "medium"]
    assert {group["seen"] for group in document["announced"]} == {"2026-02-15"}
    assert len(content) < 3000 * 30


def test_nothing_is_announced_where_it_cannot_be_noted(root, tmp_path):
    (tmp_path / "root" / "state" / "alerts.json").mkdir(parents=True)
    channel = RecordingChannel()

    delivery = announce(root, channel, [row(10)])

    assert (delivery.sent, delivery.announced) == (0, 0)
    assert "alerts.json cannot be kept" in delivery.problem


def test_no_rows_are_no_message(root):
    channel = RecordingChannel()

    assert announce(root, channel, []).sent == 0
    assert channel.attempts == 0


def test_the_documented_message_is_what_is_sent():
    given_rows = [
        ("TX-2603", "Hill Country Eye Clinic", "TX", "DNV", "DN-1", 45),
        ("FL-2301", "Biscayne Heart Institute", "FL", "Joint Commission", "JC-46550", 13),
        ("CA-1203", 'Mercy O\'Connor "East" Clinic', "CA", "Joint Commission", "JC-51881", 0),
        ("TX-2603", "Hill Country Eye Clinic", "TX", "AAAHC", "AA-8801", 1),
    ]
    rows = [
        ExpiringRow(*facts, TODAY + datetime.timedelta(days), days, tier_of(days))
        for *facts, days in given_rows
    ]
    due = DueAnnouncements.of(rows, {}, include_expired=False, max_rows=10)
    digest = MessageHead("/srv/health", "20260215T060000Z-3fdbe2", TODAY, SHOW_ALL)

    (part,) = announcement_messages(due, digest, 8000, 1)

    assert f"Subject: {part.message.subject}\n\n{part.message.body}```" in DOCUMENT
