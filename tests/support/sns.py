"""A topic of Amazon SNS in moto with an inbox, and an SNS that cannot be reached.

Tests name this module in `pytest_plugins`, and take `fake_credentials`.
"""

import json
import socket
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

REGION = "eu-central-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:alerts"
BAD_TOPICS = [
    "",
    "alerts",
    "arn:aws:sqs:us-east-1:123456789012:alerts",
    "arn:aws:sns:us-east-1:1234:alerts",
    "arn:aws:sns::123456789012:alerts",
    "arn:aws:sns:us-east-1:123456789012:",
    "arn:aws:sns:us-east-1:123456789012:a b",
    "arn:aws:sns:us-east-1:123456789012:alerts\n",
    "arn:aws:sns:us-east-1:123456789012:alerts:0a1b-subscription",
    "arn:aws:sns:us-east-1:123456789012:alerts.fifo",
]


@pytest.fixture
def fake_credentials(monkeypatch, tmp_path):
    """Credentials that open nothing, and none of this machine's settings."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture
def inbox():
    """A topic and a queue that is subscribed to it: `topic`, and `read()` for what arrived."""
    with mock_aws():
        topic = boto3.client("sns", REGION).create_topic(Name="alerts")["TopicArn"]
        sqs = boto3.client("sqs", REGION)
        url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        boto3.client("sns", REGION).subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"]
        )

        def read():
            received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            return [json.loads(each["Body"]) for each in received.get("Messages", [])]

        yield SimpleNamespace(topic=topic, read=read)


@pytest.fixture
def closed_port(monkeypatch):
    """Send the calls of SNS to a port of this machine that is closed."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", address)
        yield
