"""What the workflow tells people, over several days: each thing once, whatever the channel does."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from healthpipe.alerts.channels import ConsoleChannel
from healthpipe.errors import AlertNotSent, ServiceFailed
from healthpipe.workflow import step_runner

TODAY = date(2026, 2, 15)


def facility(name, *days):
    """A record whose accreditations lapse so many days after the first day."""
    return json.dumps(
        {
            "facility_id": name,
            "facility_name": f"Clinic {name}",
            "location": {"state": "CA", "city": "CITY", "zip": "ZIP", "address": "STREET"},
            "employee_count": 4711,
            "services": ["SERVICE"],
            "accreditations": [
                {
                    "accreditation_body": "AAAHC",
                    "accreditation_id": f"{name}-{number}",
                    "valid_until": (TODAY + timedelta(days=day)).isoformat(),
                }
                for number, day in enumerate(days)
            ],
        }
    )


@pytest.fixture
def sent(monkeypatch):
    """The messages that the channel took; `sent.fails` makes it take none."""

    class Sent(list):
        fails = False

    taken = Sent()

    def send(_, message):
        if taken.fails:
            raise AlertNotSent("nobody listens", "wait")
        taken.append(message)

    monkeypatch.setattr(ConsoleChannel, "send", send)
    return taken


@pytest.fixture
def on(cli, tmp_path):
    """Run the workflow so many days after the first."""

    def run(day, *arguments):
        as_of = (TODAY + timedelta(days=day)).isoformat()
        return cli("orchestrate", "in.jsonl", "--as-of", as_of, *arguments)

    Path(tmp_path, "in.jsonl").write_text(
        "\n".join([facility("A", 31, 400), facility("B", 100, 5), facility("C")])
    )
    return run


def lines(message):
    return [line for line in message.body.splitlines() if " | AAAHC | " in line]


def test_with_unchanged_files_one_crossing_of_a_tier_is_announced_once(on, sent):
    on(0)
    (first,) = sent
    assert [line.split(" | ")[0] + line.split(" | ")[4] for line in lines(first)] == [
        "BB-1", "AA-0", "BB-0",
    ]  # fmt: skip
    sent.clear()

    on(1)  # 31 days are 30 days now: from high to critical

    (second,) = sent
    assert lines(second) == ["A | Clinic A | CA | AAAHC | A-0 | 2026-03-18 | in 30 days"]
    assert "1 critical" in second.subject
    sent.clear()

    assert on(1, "--force").code == 0
    assert on(2).code == 0
    assert sent == []


@pytest.mark.pitfall(78)
def test_what_lapses_while_it_is_watched_is_announced_once_more(on, sent):
    on(0)
    sent.clear()
    on(6)
    told = [line for message in sent for line in lines(message)]
    assert "B | Clinic B | CA | AAAHC | B-1 | 2026-02-20 | 1 day ago" in told
    sent.clear()
    on(7)
    assert not [line for message in sent for line in lines(message) if "B-1" in line]


def test_a_first_run_does_not_tell_of_what_has_long_lapsed(on, sent):
    on(50)
    assert not [line for message in sent for line in lines(message) if "B-1" in line]


def test_what_the_channel_did_not_take_is_due_in_the_next_run(on, sent):
    sent.fails = True
    outcome = on(0, "--json")
    assert (outcome.code, outcome.document["status"]) == (0, "succeeded")
    assert "nobody listens" in outcome.err
    (expiring,) = [each for each in outcome.document["alerts"] if each["about"] == "expiring"]
    assert (expiring["sent"], "nobody listens" in expiring["problem"]) == (0, True)

    sent.fails = False
    on(1)
    assert len(lines(sent[0])) == 3


def test_an_alert_carries_its_seven_facts_and_nothing_else_of_a_record(on, sent):
    on(0)
    for secret in ("CITY", "ZIP", "STREET", "SERVICE", "4711"):
        assert secret not in sent[0].body


@pytest.fixture
def broken(monkeypatch):
    """Make a step fail with an error; with none, work again."""
    steps = dict(step_runner.STEPS)

    def make(step, error=None):
        def fail(_):
            raise error

        monkeypatch.setitem(step_runner.STEPS, step, steps[step])
        if error:
            monkeypatch.setitem(step_runner.STEPS, step, replace(steps[step], perform=fail))

    return make


def test_a_failure_is_told_once_and_its_end_once(on, sent, broken):
    on(0)
    sent.clear()
    broken("Curate", ServiceFailed("the disk is full", "free space"))
    outcome = on(1)
    assert outcome.code == 4
    (failure,) = sent
    assert "Curate" in failure.subject
    assert "the disk is full" in failure.body
    (run,) = (
        record["run_id"]
        for record in (
            json.loads(path.read_text()) for path in Path("data/runs").glob("*/run.json")
        )
        if record["status"] == "failed"
    )
    root = Path("data").resolve()
    assert f"healthpipe runs retry {run} --root {root}\n" in failure.body, "from any folder"

    on(1)
    assert len(sent) == 1, "the same failure again within 24 hours"

    sent.clear()
    broken("Curate")
    on(1)
    assert ["recovered" in message.subject for message in sent].count(True) == 1
    sent.clear()
    on(2)
    assert sent == []


@pytest.mark.parametrize(
    ("records", "command"),
    [(["{", facility("A")], "quarantine list"), ([facility("A")], "runs show")],
    ids=["too many rejected lines", "too large a drop"],
)
def test_a_failed_gate_is_told_with_what_shows_why(on, sent, records, command):
    on(0)
    sent.clear()
    Path("in.jsonl").write_text("\n".join(records))

    assert on(1).code == 3

    (failure,) = sent
    assert f"next: healthpipe {command} 2" in failure.body


def test_success_is_told_to_those_who_want_to_know(on, sent):
    on(0, "--notify-success")
    assert [message for message in sent if "succeeded" in message.subject]


@pytest.mark.pitfall(43)
@pytest.mark.parametrize("step", ["AlertExpiring", "NotifySuccess", "Finish"])
def test_once_published_a_run_has_succeeded_whatever_fails_after_it(on, sent, broken, step):
    broken(step, KeyError("x"))
    outcome = on(0, "--json")
    assert outcome.code == 0
    assert outcome.document["status"] == "succeeded"
    assert Path("data/production/current.json").exists()
    assert {each["name"]: each["status"] for each in outcome.document["steps"]}[step] == "failed"


@pytest.mark.pitfall(43)
def test_when_the_step_that_tells_of_failures_fails_a_plain_message_is_sent(on, sent, broken):
    broken("Curate", ServiceFailed("the disk is full", "free space"))
    broken("NotifyFailure", KeyError("x"))
    assert on(0).code == 4
    (message,) = sent
    assert "telling why failed too" in message.subject


def renewed(name, *days):
    """The record of a facility whose one accreditation is listed with each of these days."""
    record = json.loads(facility(name, *days))
    for item in record["accreditations"]:
        item["accreditation_id"] = f"{name}-0"
    return json.dumps(record)


def test_a_renewed_accreditation_is_not_told_and_not_later_as_lapsed(on, sent, tmp_path):
    (tmp_path / "in.jsonl").write_text(facility("A", 31))
    on(0)
    assert "1 high" in sent[0].subject
    sent.clear()

    (tmp_path / "in.jsonl").write_text(renewed("A", 31, 31 + 365))
    for day in (1, 15, 40):
        on(day)
    assert sent == []

    on(40, "--renewals", "separate", "--force")
    assert "1 expired" in sent[0].subject
    sent.clear()

    on(31 + 365 - 30)  # the renewal has a tier of its own
    assert lines(sent[0]) == ["A | Clinic A | CA | AAAHC | A-0 | 2027-03-18 | in 30 days"]
