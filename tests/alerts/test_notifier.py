"""Alerts about runs: a failure is told once a day, its end once, and nothing told is lost."""

import datetime
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthpipe.alerts.channels import Message
from healthpipe.alerts.messages import failure_message, subject
from healthpipe.alerts.notifier import Failure, Notifier, RunSummary, open_failure
from healthpipe.errors import NewerDocument, ServiceFailed
from healthpipe.storage.layout import Root
from healthpipe.storage.local import LocalStorage
from tests.conftest import tree
from tests.support.recording_channel import RecordingChannel, dead

START = datetime.datetime(2026, 2, 15, 6, tzinfo=datetime.UTC)


@pytest.fixture
def root(tmp_path):
    return Root(str(tmp_path / "root"))


def notifier(root, channel, hours=0.0):
    return Notifier(root, channel, START + datetime.timedelta(hours=hours))


def failure(step="Curate", code="disk_full", run_id="run-1"):
    retry = f"healthpipe runs retry {run_id}"
    return Failure(run_id, step, code, "cannot write x: the disk is full", "free space", retry)


def fail(root, channel, hours=0.0, **what):
    return notifier(root, channel, hours).notify_failure(failure(**what))


def succeed(root, channel, hours=0.0, *, wants_success=False):
    summary = RunSummary("run-9", START.date(), {"lines": 1234, "rejected": 5})
    return notifier(root, channel, hours).notify_success(summary, wants_success=wants_success)


def facts_of(message):
    return dict(line.split(": ", 1) for line in message.body.splitlines() if ": " in line)


def test_a_failure_tells_root_run_step_reason_and_what_to_do_next(root, tmp_path):
    channel = RecordingChannel()

    delivery = fail(root, channel)

    assert (delivery.sent, delivery.suppressed, delivery.problem) == (1, 0, None)
    assert channel.subjects == ["healthpipe: run failed at Curate (disk full)"]
    assert facts_of(channel.taken[0]) == {
        "root": str(tmp_path / "root"),
        "run": "run-1",
        "step": "Curate",
        "reason": "cannot write x: the disk is full",
        "what helps": "free space",
        "next": "healthpipe runs retry run-1",
    }


@pytest.mark.pitfall(56)
@pytest.mark.parametrize(("hours", "messages"), [(0, 1), (23, 1), (25, 2)])
def test_the_same_failure_is_not_sent_again_within_24_hours(root, hours, messages):
    channel = RecordingChannel()
    fail(root, channel)

    delivery = fail(root, channel, hours, run_id="run-2")

    assert len(channel.taken) == messages
    assert (delivery.sent, delivery.suppressed) == ((0, 1) if messages == 1 else (1, 0))


def test_a_failure_that_goes_on_is_sent_once_a_day_and_tells_since_when(root):
    channel = RecordingChannel()
    for hours in range(0, 72, 4):
        fail(root, channel, hours)

    assert len(channel.taken) == 3
    assert "failing since" not in facts_of(channel.taken[0])
    assert facts_of(channel.taken[2])["failing since"] == "2026-02-15 06:00 UTC"


@pytest.mark.parametrize("other", [{"step": "Publish"}, {"code": "throttled"}])
def test_another_step_or_code_is_another_failure(root, other):
    channel = RecordingChannel()
    fail(root, channel)

    assert fail(root, channel, 1, **other).sent == 1


@pytest.mark.pitfall(56)
def test_recovered_is_told_once(root):
    channel = RecordingChannel()
    fail(root, channel)
    fail(root, channel, 1, run_id="run-2")

    deliveries = [succeed(root, channel, hours) for hours in (2, 3)]

    assert [delivery.sent for delivery in deliveries] == [1, 0]
    assert channel.subjects[1:] == ["healthpipe: recovered, a run succeeded"]
    told = channel.taken[1].body
    assert "Curate (disk full): first at 2026-02-15 06:00 UTC" in told
    assert "last at 2026-02-15 07:00 UTC in run run-2" in told


def test_one_message_tells_that_all_failures_are_over(root):
    channel = RecordingChannel()
    fail(root, channel)
    fail(root, channel, 1, step="Publish")

    assert succeed(root, channel, 2).sent == 1
    assert "Curate" in channel.taken[2].body
    assert "Publish" in channel.taken[2].body


def test_a_failure_after_its_end_is_a_new_series_and_still_not_sent_within_24_hours(root):
    channel = RecordingChannel()
    fail(root, channel)
    succeed(root, channel, 1)

    assert fail(root, channel, 2).suppressed == 1
    assert open_failure(root).first == "2026-02-15T08:00:00+00:00"
    assert fail(root, channel, 25).sent == 1


@pytest.mark.parametrize("wanted", [True, False])
def test_success_is_told_only_when_wanted(root, wanted):
    channel = RecordingChannel()

    delivery = succeed(root, channel, wants_success=wanted)

    assert delivery.sent == len(channel.taken) == int(wanted)
    if wanted:
        assert channel.subjects == ["healthpipe: run succeeded"]
        assert facts_of(channel.taken[0]) == {
            "root": root.absolute_uri,
            "run": "run-9",
            "as_of": "2026-02-15",
            "lines": "1,234",
            "rejected": "5",
        }


def test_the_open_failure_is_the_one_met_last(root):
    assert open_failure(root) is None

    fail(root, RecordingChannel(), 0, step="Publish")
    fail(root, dead(), 1, run_id="run-2")

    assert asdict(open_failure(root)) == {
        "run_id": "run-2",
        "step": "Curate",
        "code": "disk_full",
        "first": "2026-02-15T07:00:00+00:00",
        "last": "2026-02-15T07:00:00+00:00",
        "last_sent": None,
        "open": True,
    }
    succeed(root, RecordingChannel(), 2)
    assert open_failure(root) is None


def test_what_was_not_taken_is_sent_by_the_next_call_before_its_own(root):
    delivery = fail(root, dead())
    assert (delivery.sent, delivery.suppressed) == (0, 0)
    assert delivery.problem == "the line is dead; wait"

    channel = RecordingChannel()
    assert fail(root, channel, 2, step="Publish").sent == 2

    assert channel.subjects == [
        "healthpipe: run failed at Curate (disk full)",
        "healthpipe: run failed at Publish (disk full)",
    ]
    assert "written at 2026-02-15 06:00 UTC" in channel.taken[0].body
    assert fail(root, channel, 25).suppressed == 1, "sent late, and not again within 24 hours"
    assert fail(root, channel, 27).sent == 1


@pytest.mark.parametrize("call", ["succeed", "expiring"])
def test_every_kind_of_call_sends_what_is_pending(root, call):
    fail(root, dead())
    channel = RecordingChannel()

    if call == "succeed":
        succeed(root, channel, 1)
    else:
        notifier(root, channel, 1).announce_expiring("run-2", START.date(), [], "list")

    assert channel.subjects[0] == "healthpipe: run failed at Curate (disk full)"
    assert channel.subjects[1:] == (
        ["healthpipe: recovered, a run succeeded"] if call == "succeed" else []
    )


def test_the_newest_of_one_failure_is_told_in_place_of_the_pending_one(root):
    fail(root, dead())
    fail(root, dead(), 1, run_id="run-2")
    channel = RecordingChannel()

    assert fail(root, channel, 2, run_id="run-3").sent == 1

    assert facts_of(channel.taken[0])["next"] == "healthpipe runs retry run-3"
    assert facts_of(channel.taken[0])["failing since"] == "2026-02-15 06:00 UTC"


def test_a_dead_channel_is_tried_once_a_call(root):
    channel = dead()
    for number in range(3):
        fail(root, channel, number, step=f"step {number}")
    succeed(root, channel, 4, wants_success=True)

    assert channel.attempts == 4


def test_recovered_and_success_are_kept_too_in_their_order(root):
    fail(root, dead())
    assert succeed(root, dead(), 1, wants_success=True).problem
    channel = RecordingChannel()

    delivery = succeed(root, channel, 2)

    assert delivery.sent == 3
    assert channel.subjects == [
        "healthpipe: run failed at Curate (disk full)",
        "healthpipe: recovered, a run succeeded",
        "healthpipe: run succeeded",
    ]


def test_the_twenty_newest_are_kept(root):
    for number in range(25):
        fail(root, dead(), number, step=f"step-{number}")
    channel = RecordingChannel()

    notifier(root, channel, 26).announce_expiring("run-2", START.date(), [], "list")

    steps = [facts_of(message)["step"] for message in channel.taken]
    assert steps == [f"step-{number}" for number in range(5, 25)]


def test_a_long_message_is_cut_to_what_the_channel_takes(root):
    channel = RecordingChannel(limit=500)

    failing = Failure("run-1", "Curate", "disk_full", "é" * 5000, "free space", "retry")
    notifier(root, channel).notify_failure(failing)

    assert channel.taken[0].size <= 500
    assert channel.taken[0].body.endswith("...")


def test_line_breaks_and_control_characters_stay_on_their_line(root):
    channel = RecordingChannel()
    failing = Failure("run-1", "Curate\n", "x", "a\r\nfake: line\x1b[2J", "", "retry")

    notifier(root, channel).notify_failure(failing)

    assert "fake" not in facts_of(channel.taken[0])
    assert "\x1b" not in channel.taken[0].body
    assert channel.taken[0].subject == r"healthpipe: run failed at Curate\x0a (x)"


@given(st.text(), st.sampled_from(["", " (5/5)"]))
def test_a_subject_is_what_sns_takes(text, ending):
    made = subject(f"healthpipe: {text}", ending)

    assert len(made) < 100
    assert made.isascii()
    assert made.isprintable()
    assert made.endswith(ending)
    Message(made, "body")


@pytest.mark.parametrize("bad", ["", "x" * 100, "a\nb", "é"])
def test_a_message_that_sns_would_refuse_cannot_be_made(bad):
    with pytest.raises(ValueError, match="subject"):
        Message(bad, "body")


def test_a_test_message_leaves_nothing_behind(root, tmp_path):
    channel = RecordingChannel()

    assert notifier(root, channel).test().sent == 1
    assert notifier(root, dead()).test().problem == "the line is dead; wait"

    assert str(tmp_path / "root") in channel.taken[0].body
    assert not (tmp_path / "root").exists()


DAMAGED = {
    "no JSON": b'{"schema_version": 1, "ann',
    "no text": b"\xff\xfe",
    "an unknown schema": b'{"schema_version": 0, "announced": [], "failures": {}, "pending": []}',
    "a list": b"[]",
    "empty": b"",
    "deeply nested": b"[" * 100_000,
    "a failure without a time": json.dumps(
        {
            "schema_version": 1,
            "announced": [],
            "failures": {"a/b": {"run_id": "r", "step": "a", "code": "b", "first": "?"}},
            "pending": [],
        }
    ).encode(),
    "a message that is none": json.dumps(
        {
            "schema_version": 1,
            "announced": [],
            "failures": {},
            "pending": [{"subject": "a\nb", "body": "x", "at": "2026-02-15T06:00:00+00:00"}],
        }
    ).encode(),
    "an unknown tier": json.dumps(
        {
            "schema_version": 1,
            "announced": [{"tier": "soon", "seen": "2026-02-15", "keys": ["0"]}],
            "failures": {},
            "pending": [],
        }
    ).encode(),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_state_is_said_and_set_aside_and_the_run_goes_on(root, tmp_path, content):
    LocalStorage().write(root.alerts, content)
    channel = RecordingChannel()
    assert open_failure(root) is None

    delivery = fail(root, channel)

    assert delivery.sent == 1
    assert "alerts.json was damaged" in delivery.problem
    assert len(delivery.problem.splitlines()) == 1
    beside = tmp_path / "root" / "state" / "alerts.damaged-20260215T060000Z.json"
    assert beside.read_bytes() == content
    again = fail(root, channel, 1)
    assert (again.suppressed, again.problem) == (1, None)


def test_the_state_of_a_newer_healthpipe_stays_as_it_is_and_the_alert_is_sent(root, tmp_path):
    content = b'{"schema_version": 2, "announced": {}}'
    LocalStorage().write(root.alerts, content)
    with pytest.raises(NewerDocument):
        open_failure(root)

    for _ in range(2):
        delivery = fail(root, RecordingChannel())
        assert delivery.sent == 1
        assert "was written by a newer healthpipe" in delivery.problem
    assert tree(tmp_path / "root" / "state") == {"alerts.json"}
    assert Path(root.alerts).read_bytes() == content


def test_a_state_that_is_damaged_is_set_aside_once(root, tmp_path):
    LocalStorage().write(root.alerts, b"?")
    for hours in range(3):
        succeed(root, RecordingChannel(), hours)

    state = {name for name in tree(tmp_path / "root" / "state") if not name.startswith(".")}
    assert state == {"alerts.json", "alerts.damaged-20260215T060000Z.json"}


def test_a_lost_race_loses_neither_change(root):
    """While one notifier sends, another records a failure of its own."""
    channel = RecordingChannel()

    class Meanwhile(RecordingChannel):
        def send(self, message):
            super().send(message)
            fail(root, channel, 0, step="Publish", run_id="run-2")

    slow = Meanwhile()
    assert fail(root, slow, 0.5).problem is None

    assert fail(root, channel, 1).suppressed == 1
    assert fail(root, channel, 1, step="Publish").suppressed == 1


def test_a_failure_met_while_another_run_tells_of_its_end_stays_open(root):
    fail(root, RecordingChannel())

    class Meanwhile(RecordingChannel):
        def send(self, message):
            super().send(message)
            fail(root, RecordingChannel(), 2, run_id="run-3")

    assert succeed(root, Meanwhile(), 1).sent == 1

    assert open_failure(root).run_id == "run-3"


def test_a_race_that_is_always_lost_ends_and_is_said(root, monkeypatch):
    channel, calls = RecordingChannel(), []
    put_if = LocalStorage.put_if

    def outrun(storage, uri, content, etag):
        calls.append(uri)
        LocalStorage.write(storage, uri, json.dumps({**EMPTY, "run": len(calls)}).encode())
        put_if(storage, uri, content, etag)

    monkeypatch.setattr(LocalStorage, "put_if", outrun)

    delivery = fail(root, channel)

    assert delivery.sent == 1
    assert "alerts.json cannot be kept" in delivery.problem
    assert len(calls) < 100


EMPTY = {"schema_version": 1, "announced": [], "failures": {}, "pending": []}


@pytest.mark.parametrize("failing", ["read", "put_if"])
def test_a_failure_is_told_also_where_the_state_cannot_be_kept(root, monkeypatch, failing):
    def refuse(*_):
        raise ServiceFailed("cannot write: the disk is full", "free space")

    monkeypatch.setattr(LocalStorage, failing, refuse)
    channel = RecordingChannel()

    delivery = fail(root, channel)

    assert delivery.sent == 1
    assert "the disk is full" in delivery.problem


def test_a_delivery_is_a_document(root):
    assert fail(root, dead()).to_json() == {
        "sent": 0,
        "announced": 0,
        "suppressed": 0,
        "problem": "the line is dead; wait",
    }


def test_the_documented_failure_is_what_is_sent():
    document = Path(__file__).parents[2] / "docs" / "alerts.md"
    run_id = "20260215T060000Z-3fdbe2"
    message, hint = (
        "cannot write /srv/health/runs/x: the disk is full",
        "free space or fix permissions, then run again",
    )
    failing = Failure(
        run_id, "Curate", "service_failed", message, hint, f"healthpipe runs retry {run_id}"
    )

    sent = failure_message("/srv/health", failing, None)

    assert f"Subject: {sent.subject}\n\n{sent.body}```" in document.read_text(encoding="utf-8")


class KilledAfterwards(RecordingChannel):
    """The process dies when the channel has taken a message, before that is noted."""

    def send(self, message):
        super().send(message)
        raise SystemExit


def test_a_process_killed_between_sending_and_noting_sends_again(root):
    with pytest.raises(SystemExit):
        fail(root, KilledAfterwards())
    channel = RecordingChannel()

    assert fail(root, channel, 1).sent == 1
