"""What AWS refuses: which exit code it has, and what the one line about it says."""

import inspect

import boto3
import pytest
from botocore import exceptions
from botocore.stub import Stubber

from healthpipe.aws.errors import translate_error, translated_errors
from healthpipe.aws.session import AwsAccess, Timeouts, client
from healthpipe.errors import (
    HealthpipeError,
    InputChanged,
    ObjectDenied,
    ObjectMissing,
    ServiceFailed,
    UsageError,
    exit_code_of,
    workflow_name_of,
)

GET, OBJECT = "s3:GetObject", "s3://records/raw/a.json"


@pytest.fixture(autouse=True)
def aws(monkeypatch, tmp_path):
    """Credentials that open nothing, and none of this machine's settings."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


def refused(code, status=400, message="quoted Clínica\nTX"):
    """The error of botocore for an answer of S3."""
    s3 = boto3.client("s3", "eu-central-1")
    with Stubber(s3) as stub:
        stub.add_client_error("get_object", code, message, status)
        with pytest.raises(exceptions.ClientError) as error:
            s3.get_object(Bucket="records", Key="raw/a.json")
    return error.value


MISCONFIGURED, RETRY = (2, "Misconfigured"), (4, "Transient")
ANSWERS = [
    ("AccessDenied", 403, MISCONFIGURED, f"allow {GET} on {OBJECT}"),
    ("403", 403, MISCONFIGURED, f"allow {GET} on {OBJECT}"),
    ("InvalidAccessKeyId", 403, MISCONFIGURED, "no valid AWS credentials"),
    ("SignatureDoesNotMatch", 403, MISCONFIGURED, "no valid AWS credentials"),
    ("NoSuchBucket", 404, MISCONFIGURED, "no such bucket"),
    ("KMS.DisabledException", 400, MISCONFIGURED, "kms:Decrypt"),
    ("PermanentRedirect", 301, MISCONFIGURED, "another region"),
    ("RequestTimeTooSkewed", 403, MISCONFIGURED, "clock"),
    ("InvalidArgument", 400, MISCONFIGURED, "parameter"),
    ("ExpiredToken", 400, RETRY, "sign in again"),
    ("400", 400, RETRY, "sign in again"),  # a HEAD request says no more of an expired token
    ("SlowDown", 503, RETRY, "takes no more requests"),
    ("ThrottlingException", 400, RETRY, "takes no more requests"),
    ("InternalError", 500, RETRY, "InternalError"),
    ("503", 503, RETRY, "takes no more requests"),
    ("OperationAborted", 409, RETRY, "somebody else changed it"),
    ("NobodyKnows", 418, RETRY, "NobodyKnows"),
    ("NobodyKnows", 403, MISCONFIGURED, f"allow {GET}"),
]


@pytest.mark.parametrize(("code", "status", "ends", "says"), ANSWERS)
def test_an_answer_of_a_service_ends_as_a_retry_could_help(code, status, ends, says):
    error = translate_error(refused(code, status), GET, OBJECT)

    assert (exit_code_of(error), workflow_name_of(error)) == ends
    assert says in str(error)
    assert str(error).startswith(f"AWS did not do {GET} on {OBJECT}: ")
    assert error.hint
    assert len(str(error).splitlines()) == 1
    assert "Clínica" not in str(error), "an answer may quote what was sent"


FAILURES = [
    (exceptions.NoCredentialsError(), MISCONFIGURED, "sign in"),
    (
        exceptions.PartialCredentialsError(provider="env", cred_var="x"),
        MISCONFIGURED,
        "credentials",
    ),
    (exceptions.ProfileNotFound(profile="nobody"), MISCONFIGURED, "--profile"),
    (exceptions.NoRegionError(), MISCONFIGURED, "give --region"),
    (exceptions.InvalidRegionError(region_name="a b"), MISCONFIGURED, "--region"),
    (exceptions.UnauthorizedSSOTokenError(), RETRY, "sign in again"),
    (exceptions.EndpointConnectionError(endpoint_url="http://x"), RETRY, "cannot be reached"),
    (exceptions.ConnectTimeoutError(endpoint_url="http://x"), RETRY, "cannot be reached"),
    (exceptions.ReadTimeoutError(endpoint_url="http://x"), RETRY, "cannot be reached"),
    (exceptions.SSLError(endpoint_url="http://x", error="x"), RETRY, "cannot be reached"),
    (exceptions.ResponseStreamingError(error="x"), RETRY, "broke off"),
    (exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), RETRY, "broke off"),
]


@pytest.mark.parametrize(("failure", "ends", "says"), FAILURES, ids=lambda each: str(each)[:30])
def test_a_failure_on_the_way_ends_as_a_retry_could_help(failure, ends, says):
    error = translate_error(failure, GET, OBJECT)

    assert (exit_code_of(error), workflow_name_of(error)) == ends
    assert says in str(error)
    assert error.hint


def test_every_failure_of_botocore_becomes_one_of_ours():
    kinds = [
        kind
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, exceptions.BotoCoreError)
    ]
    assert len(kinds) > 80
    for kind in kinds:
        with pytest.raises((ServiceFailed, UsageError)), translated_errors(GET, OBJECT):
            raise kind.__new__(kind)


def test_what_the_last_of_many_attempts_failed_with_counts():
    last = exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")
    retried = exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2)
    retried.last_exception = last

    assert "refused access" in str(translate_error(retried, GET, OBJECT))


def test_an_object_that_is_gone_or_changed_is_told_from_other_failures():
    gone, changed = refused("NoSuchKey", 404), refused("PreconditionFailed", 412)

    assert isinstance(translate_error(gone, GET, OBJECT), ObjectMissing)
    assert isinstance(translate_error(gone, GET, OBJECT), FileNotFoundError)
    assert isinstance(translate_error(changed, GET, OBJECT), InputChanged)
    table = translate_error(
        refused("EntityNotFoundException", 400), "glue:GetTable", "healthpipe.raw"
    )
    assert isinstance(table, UsageError)


@pytest.mark.parametrize(
    "code", ["AccessDenied", "403", "KMS.DisabledException", "InvalidObjectState"]
)
def test_an_object_that_is_not_given_out_is_told_from_other_refusals(code):
    denied = refused(code, 403)

    assert isinstance(translate_error(denied, GET, OBJECT), ObjectDenied)
    assert isinstance(translate_error(denied, GET, OBJECT), PermissionError)
    for action in ("s3:PutObject", "s3:ListBucket"):
        assert not isinstance(translate_error(denied, action, OBJECT), ObjectDenied)
    stranger = translate_error(refused("InvalidAccessKeyId", 403), GET, OBJECT)
    assert not isinstance(stranger, ObjectDenied)


def test_errors_of_ours_and_bugs_pass_as_they_are():
    for error in (ServiceFailed("the disk is full"), KeyError("x")):
        with pytest.raises(type(error)) as raised, translated_errors(GET, OBJECT):
            raise error
        assert raised.value is error


@pytest.mark.pitfall(47)
@pytest.mark.parametrize(
    ("access", "says"),
    [
        (AwsAccess(), "no region is set: give --region"),
        (AwsAccess(region="eu-central-1", profile="nobody"), "AWS profile is not there"),
        (AwsAccess(region="not a region"), "no region"),
    ],
)
def test_a_client_that_cannot_be_made_is_a_matter_of_configuration(access, says):
    with pytest.raises(HealthpipeError, match=says) as failure:
        client("athena", access)
    assert exit_code_of(failure.value) == 2
    assert str(failure.value).count(":") == 1


def test_an_endpoint_that_is_none_is_a_matter_of_configuration(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL"):
        client("s3", AwsAccess(region="eu-central-1"))


def test_a_client_is_made_once_for_the_same_access_and_environment(monkeypatch):
    access = AwsAccess(region="eu-central-1")
    first = client("glue", access)

    assert client("glue", AwsAccess(region="eu-central-1", kms_key="k")) is first
    assert client("glue", AwsAccess(region="us-east-1")) is not first
    assert client("glue", access, Timeouts(attempts=1)) is not first
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert client("glue", access) is not first


@pytest.mark.parametrize(
    ("endpoint", "style"),
    [
        ("http://localhost:5000", "path"),
        ("http://moto:5000", "path"),
        ("https://bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com", None),
        (None, None),
    ],
)
def test_a_plain_host_is_asked_by_path(endpoint, style, monkeypatch):
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    config = client("s3", AwsAccess(region="eu-central-1")).meta.config

    assert (config.s3 or {}).get("addressing_style") == style
    assert config.retries["mode"] == "standard"
