"""`alert --test`: a message to the topic or the console, and what stops it."""

import pytest

from tests.support.sns import BAD_TOPICS, TOPIC

pytest_plugins = ["tests.support.sns"]
pytestmark = pytest.mark.usefixtures("fake_credentials")


def test_the_test_message_says_where_it_went(cli, inbox):
    outcome = cli("alert", "--test", "--sns-topic", inbox.topic)

    assert outcome.code == 0, outcome.err
    assert outcome.out == f"{inbox.topic}\n"
    assert inbox.read()[0]["Subject"] == "healthpipe: test of the alerts"


def test_the_topic_may_come_from_the_environment(cli, inbox, monkeypatch):
    monkeypatch.setenv("HEALTHPIPE_SNS_TOPIC", inbox.topic)

    outcome = cli("alert", "--test", "--json")

    assert outcome.document["channel"] == {"name": "sns", "where": inbox.topic}
    assert (outcome.document["status"], outcome.document["sent"]) == ("succeeded", 1)
    assert len(inbox.read()) == 1


def test_the_console_is_tried_too(cli, tmp_path):
    outcome = cli("alert", "--test", "--quiet")

    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.startswith("healthpipe: test of the alerts\n")
    assert f"root: {tmp_path / 'data'}\n" in outcome.err


def test_a_test_message_that_is_not_taken_is_exit_4_in_one_line(cli, closed_port):
    outcome = cli("alert", "--test", "--sns-topic", TOPIC)

    assert (outcome.code, outcome.out) == (4, "")
    assert len(outcome.err.splitlines()) == 1
    assert "cannot be reached" in outcome.err


@pytest.mark.parametrize("topic", BAD_TOPICS[1:3])
def test_a_bad_topic_is_exit_2_at_once(cli, topic):
    outcome = cli("alert", "--test", "--sns-topic", topic)

    assert outcome.code == 2
    assert outcome.err.startswith(f"healthpipe: --sns-topic '{topic}' is not the ARN of a topic;")
