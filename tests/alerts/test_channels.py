"""Where alerts go: through Amazon SNS (moto), or to standard error; and what stops them there."""

import io
import json
import logging
import threading
import time
from types import SimpleNamespace

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from healthpipe.alerts.channels import ConsoleChannel, Message, SnsChannel, open_channel
from healthpipe.choices import LogFormat
from healthpipe.cli.console import start_logging
from healthpipe.errors import AlertNotSent, UsageError, exit_code_of
from tests.support.sns import BAD_TOPICS, REGION, TOPIC

pytest_plugins = ["tests.support.sns"]
pytestmark = pytest.mark.usefixtures("fake_credentials")
MESSAGE = Message("healthpipe: run failed", "Clínica | TX\nand more\n")


def publish_does(monkeypatch, action):
    """Have every call of AWS do `action` instead; the calls so far."""
    calls = []

    def call(client, operation, parameters):
        calls.append(operation)
        return action()

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return calls


def answer(code, message="refused"):
    def fail():
        raise ClientError({"Error": {"Code": code, "Message": message}}, "Publish")

    return fail


def failure_of(channel, message=MESSAGE):
    with pytest.raises(AlertNotSent) as failure:
        channel.send(message)
    assert exit_code_of(failure.value) == 4
    assert len(str(failure.value).splitlines()) == 1
    assert failure.value.hint
    return str(failure.value)


def test_a_message_reaches_the_subscribers_of_the_topic(inbox):
    open_channel(inbox.topic).send(MESSAGE)

    (received,) = inbox.read()
    assert (received["Subject"], received["Message"]) == (MESSAGE.subject, MESSAGE.body)


def test_a_message_of_the_greatest_size_is_taken(inbox):
    channel = open_channel(inbox.topic)
    whole = Message("s" * 99, "x" * (channel.limit - 99))
    assert whole.size == channel.limit == 262_144

    channel.send(whole)

    assert inbox.read()[0]["Message"] == whole.body


def test_the_region_is_the_topics_unless_another_is_given(monkeypatch):
    clients = []
    publish_does(monkeypatch, dict)
    real = boto3.session.Session.client
    monkeypatch.setattr(
        boto3.session.Session,
        "client",
        lambda *given, **more: clients.append(real(*given, **more)) or clients[-1],
    )
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")

    for region in (None, "us-west-2"):
        SnsChannel(TOPIC, region).send(MESSAGE)

    assert [client.meta.region_name for client in clients] == [REGION, "us-west-2"]


def test_time_outs_and_attempts_fit_the_patience():
    config = SnsChannel(TOPIC)._client().meta.config

    attempts = config.retries["total_max_attempts"]
    assert (config.connect_timeout, config.read_timeout) == (3, 5)
    assert config.retries["mode"] == "standard"
    pauses = sum(2**number for number in range(attempts - 1))  # the longest of standard retries
    assert attempts * config.read_timeout + pauses <= 20


def test_sns_that_is_down_is_said(closed_port):
    assert "it cannot be reached: check the network" in failure_of(SnsChannel(TOPIC))


def test_sns_that_does_not_answer_costs_the_patience_and_then_nothing(monkeypatch):
    release = threading.Event()
    calls = publish_does(monkeypatch, lambda: release.wait(30))
    channel = SnsChannel(TOPIC, total_seconds=0.3)

    began = time.monotonic()
    failures = [failure_of(channel) for _ in range(3)]
    release.set()

    assert time.monotonic() - began < 5
    assert all("did not answer in time" in failure for failure in failures)
    assert len(calls) <= 1


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("Throttled", "takes no more messages for now: try again later"),
        ("ThrottledException", "takes no more messages for now: try again later"),
        ("Throttling", "takes no more messages for now: try again later"),
        ("NotFound", f"there is no topic {TOPIC} in {REGION}: check --sns-topic"),
        ("InvalidParameter", f"refused a parameter: check that {TOPIC} is in {REGION}"),
        ("KMSAccessDenied", f"allow kms:GenerateDataKey and kms:Decrypt on the key of {TOPIC}"),
        ("AuthorizationError", f"refused access: allow sns:Publish on {TOPIC}"),
        ("ExpiredToken", "the AWS sign-in has expired: sign in"),
        ("InvalidClientTokenId", "no valid AWS credentials were found: sign in"),
        ("InternalError", "failed with InternalError: try again later"),
    ],
)
def test_what_sns_answers_is_one_line_that_says_what_to_do(monkeypatch, code, says):
    publish_does(monkeypatch, answer(code, "about Clínica\nTX"))

    said = failure_of(SnsChannel(TOPIC))

    assert says in said
    assert "Clínica" not in said, "an answer may quote what was sent"


def test_throttling_is_tried_again_a_few_times(monkeypatch):
    attempts = []

    def throttled(self, request):
        attempts.append(request)
        body = b"<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"
        raw = SimpleNamespace(stream=lambda *_, **__: iter([body]), read=lambda *_: body)
        return AWSResponse(request.url, 400, {}, raw)

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", throttled)

    assert "takes no more messages for now" in failure_of(SnsChannel(TOPIC))
    assert len(attempts) == 3


def test_missing_credentials_are_said(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert "no valid AWS credentials were found" in failure_of(SnsChannel(TOPIC))


def test_an_unknown_profile_is_said():
    assert "AWS profile is not there" in failure_of(SnsChannel(TOPIC, profile="nobody"))


def test_an_endpoint_that_is_none_is_said(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "nowhere")

    assert "SNS did not take the alert" in failure_of(SnsChannel(TOPIC))


def test_a_topic_that_is_gone_is_said(inbox):
    assert "there is no topic" in failure_of(SnsChannel(f"{inbox.topic}-gone"))


@pytest.mark.parametrize("topic", BAD_TOPICS)
def test_what_is_no_standard_topic_is_refused(topic):
    with pytest.raises(UsageError, match="--sns-topic"):
        open_channel(topic)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"])
def test_topics_of_every_partition_are_known(partition):
    assert open_channel(f"arn:{partition}:sns:xx-1:123456789012:a-B_9").name == "sns"


def test_without_a_topic_alerts_go_to_the_console():
    channel = open_channel(None)

    assert (channel.name, channel.limit) == ("console", 8_000)


@pytest.mark.parametrize("quiet", [False, True])
def test_the_console_writes_to_standard_error_with_quiet_too(capsys, quiet):
    start_logging(LogFormat.TEXT, quiet=quiet)

    ConsoleChannel().send(MESSAGE)

    printed = capsys.readouterr()
    assert printed.err == "healthpipe: run failed\nClínica | TX\nand more\n\n"
    assert printed.out == ""


def test_in_a_json_log_an_alert_is_one_line(capsys):
    start_logging(LogFormat.JSON, quiet=True)

    ConsoleChannel().send(MESSAGE)

    logged = json.loads(capsys.readouterr().err)
    assert (logged["level"], logged["alert"]) == ("warning", "console")
    assert logged["message"] == f"{MESSAGE.subject}\n{MESSAGE.body}"


class Full(io.StringIO):
    def flush(self):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stream", [Full(), None])
def test_standard_error_that_takes_nothing_is_said(monkeypatch, stream):
    handler = logging.StreamHandler()
    handler.stream = stream
    monkeypatch.setattr(logging.getLogger("healthpipe"), "handlers", [handler])

    assert "standard error cannot be written" in failure_of(ConsoleChannel())
