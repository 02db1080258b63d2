"""An S3 on this machine (moto's server), a bucket of the test's own, and what is asked of it."""

import os

import pytest
from moto.backends import get_backend

from healthpipe.aws.session import AwsAccess, client
from healthpipe.retry import Backoff
from healthpipe.storage.s3 import requests as s3_requests
from healthpipe.storage.s3.storage import S3Storage
from tests.local_aws import local_aws

REGION = "us-east-1"
ACCESS = AwsAccess(region=REGION)


@pytest.fixture(scope="module")
def s3_address():
    """Where the server listens."""
    with local_aws() as aws:
        yield aws.endpoint_url


@pytest.fixture
def s3(s3_address, monkeypatch, tmp_path):
    """boto3's client of the server, whose environment everybody in the test has."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_address)
    monkeypatch.setenv("HEALTHPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.setattr(s3_requests, "BACKOFF", Backoff(0, 0))
    return client("s3", ACCESS, s3_requests.TIMEOUTS)


@pytest.fixture
def bucket(s3):
    """The name of an empty bucket."""
    name = "records"
    s3.create_bucket(Bucket=name)
    yield name
    backend().reset()


@pytest.fixture
def storage(bucket):
    """The storage of the server."""
    return S3Storage(ACCESS)


@pytest.fixture
def hook(s3):
    """Register a handler of an event of botocore's until the end of the test."""
    registered = []

    def register(event, handler):
        s3.meta.events.register(event, handler)
        registered.append((event, handler))

    yield register
    for event, handler in registered:
        s3.meta.events.unregister(event, handler)


@pytest.fixture
def requests(hook):
    """What is asked of S3 from here on: pairs of the operation's name and its parameters."""
    asked = []

    def note(params, model, **_):
        asked.append((model.name, dict(params)))

    hook("provide-client-params.s3", note)
    return asked


def backend():
    """What moto keeps, without a request."""
    return get_backend("s3")["123456789012"]["aws"]


def fill(bucket, keys, content=b"x"):
    """Put many objects of one content at once."""
    for key in keys:
        backend().put_object(bucket, key, content)


def uploads(s3, bucket):
    """The keys of the uploads in parts that nobody ended."""
    return [each["Key"] for each in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
