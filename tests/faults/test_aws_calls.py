"""AWS refuses calls: for a moment, for good, for want of a permission, a bucket, a sign-in."""

import pytest

from healthpipe.storage import lease
from tests.conftest import AS_OF
from tests.support.aws_root import BUCKET, ROOT, SOON, require_clean, require_failed

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.aws_root"]
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
ORCHESTRATE = ("orchestrate", "--as-of", AS_OF, "--engine")
RUNS_CALL = {
    ("s3", "GetObject"),
    ("s3", "PutObject"),
    ("s3", "HeadObject"),
    ("s3", "ListObjectsV2"),
    ("s3", "CopyObject"),
    ("s3", "DeleteObject"),
    ("s3", "DeleteObjects"),
    ("glue", "GetDatabase"),
    ("glue", "CreateDatabase"),
    ("glue", "CreateTable"),
    ("glue", "GetTable"),
    ("glue", "GetTables"),
    ("glue", "BatchDeleteTable"),
    ("athena", "GetWorkGroup"),
    ("athena", "StartQueryExecution"),
    ("athena", "GetQueryExecution"),
    ("athena", "GetQueryResults"),
    ("sns", "Publish"),
}


@pytest.fixture
def throttled(place):
    """Throttle whatever a command calls for the first time; returns its outcome, the actions that
    it called, and of these the ones of which a call was sent again.
    """

    def run(*words):
        before = len(place.aws.calls)
        place.aws.faults.throttle("*", times=None, first_tries=True)
        outcome = place.run(*words)
        place.aws.faults.clear()
        calls = place.aws.calls[before:]
        called = {(call.service, call.action) for call in calls}
        return outcome, called, {(c.service, c.action) for c in calls if not c.is_first_try}

    return run


def test_every_call_of_a_run_is_throttled_once(place, topic, throttled):
    outcome, called, again = throttled(*ORCHESTRATE, "athena", "--sns-topic", TOPIC)
    place.require_published(outcome)
    assert called >= RUNS_CALL
    assert again == called


def test_every_call_of_a_run_on_the_embedded_engine_is_throttled_once(place, throttled):
    outcome, called, again = throttled(*ORCHESTRATE, "duckdb")
    place.require_published(outcome)
    assert {service for service, _ in called} == {"s3"}
    assert again == called


def test_every_call_of_a_stage_by_hand_is_throttled_once(place, throttled):
    words = ("filter-expiring", "--as-of", AS_OF, "--engine", "athena", "-o", "-")
    outcome, called, again = throttled(*words)
    assert (outcome.code, outcome.out.encode()) == (0, SOON), outcome.err
    assert again == called
    require_clean(place)


@pytest.mark.parametrize(
    ("service", "action"),
    [
        ("s3", "CopyObject"),
        ("glue", "CreateTable"),
        ("athena", "StartQueryExecution"),
        ("athena", "GetWorkGroup"),
        ("athena", "GetQueryExecution"),
        ("athena", "GetQueryResults"),
    ],
)
def test_what_is_throttled_for_ever_fails_the_run(place, service, action):
    place.engine = "duckdb" if service == "s3" else "athena"
    place.aws.faults.throttle(service, action, times=None)
    outcome = place.orchestrate()
    place.aws.faults.clear()

    assert "takes no more requests" in outcome.err
    if action == "GetQueryExecution":  # nobody can see whether a query has ended
        assert outcome.code == 4, outcome.err
        assert place.aws.running_queries() == []
        return
    record = require_failed(place, outcome, 4)
    assert f"{service}:" in record["error"]["message"]


def test_a_storage_that_is_throttled_for_ever_fails_the_run_before_it_begins(place):
    place.aws.faults.throttle("s3", times=None)
    outcome = place.orchestrate()
    assert outcome.code == 4
    assert "takes no more requests" in outcome.err.splitlines()[-1]
    place.aws.faults.clear()
    assert place.records == []


@pytest.mark.parametrize(
    ("service", "action", "needed", "resource"),
    [
        ("s3", "CopyObject", "s3:PutObject", f"{ROOT}/production/"),
        ("glue", "CreateTable", "glue:CreateTable", "healthpipe.raw_"),
        ("glue", "GetDatabase", "glue:GetDatabase", "database healthpipe"),
        ("athena", "StartQueryExecution", "athena:StartQueryExecution", "workgroup primary"),
    ],
)
def test_a_permission_that_is_missing_is_named(place, service, action, needed, resource):
    place.engine = "duckdb" if service == "s3" else "athena"
    place.aws.faults.deny(service, action)
    outcome = place.orchestrate()
    place.aws.faults.clear()

    record = require_failed(place, outcome, 2)
    assert f"{needed} on {resource}" in record["error"]["message"]
    assert needed in record["error"]["hint"]


def test_a_query_that_may_not_read_says_what_it_may_not(place):
    place.aws.faults.fail_query(
        "PERMISSION_DENIED: User: arn:aws:iam::1:user/x is not authorized to perform: "
        "s3:GetObject on resource: arn:aws:s3:::hpipe/root/raw/a.jsonl because no policy",
        containing="raw_lines",
    )
    record = require_failed(place, place.orchestrate(), 2)
    assert "s3:GetObject on arn:aws:s3:::hpipe/root/raw/a.jsonl" in record["error"]["message"]
    assert len(place.aws.queries()) == 1, "it would be refused again"


def process_has_ended(monkeypatch):
    """Have the next command see that the process of the last one is not there any more."""
    monkeypatch.setattr(lease, "_died_here", lambda _: True)


def test_credentials_that_expire_midway_are_renewed_and_the_run_goes_on(
    place, step_spy, monkeypatch
):
    step_spy.before["Audit"] = place.aws.faults.expire_credentials
    outcome = place.orchestrate()
    assert outcome.code == 4, outcome.err
    assert "the AWS sign-in has expired; sign in again, then run again" in outcome.err
    place.aws.faults.clear()
    assert not place.live
    assert place.aws.running_queries() == []

    step_spy.before.clear()
    step_spy.names.clear()
    process_has_ended(monkeypatch)
    started = len(place.aws.queries())
    place.require_published(place.run("runs", "retry"))
    assert "Curate" not in step_spy.names
    assert step_spy.names[0] == "Audit"
    assert len(place.aws.queries()) > started, "only the announcements are asked for again"
    assert len(place.records) == 1


def test_credentials_that_expire_in_a_query_stop_nothing_for_good(place, monkeypatch):
    place.aws.faults.while_query_runs(place.aws.faults.expire_credentials, "raw_lines")
    outcome = place.orchestrate()
    assert outcome.code == 4, outcome.err
    assert "sign in again" in outcome.err.splitlines()[-1]

    place.aws.faults.clear()
    process_has_ended(monkeypatch)
    place.require_published(place.orchestrate())


def test_a_stage_by_hand_that_is_refused(place):
    place.aws.faults.deny("athena", "StartQueryExecution")
    outcome = place.run("state-counts", "--engine", "athena", "--as-of", AS_OF)
    place.aws.faults.clear()
    record = require_failed(place, outcome, 2)
    assert record["command"] == "state-counts"
    assert "athena:StartQueryExecution on workgroup primary" in record["error"]["message"]


def test_a_bucket_that_is_not_there(place):
    outcome = place.cli("orchestrate", "--root", "s3://nobodys-bucket/root", "--engine", "athena")
    assert outcome.code == 2, outcome.err
    assert "nobodys-bucket" in outcome.err
    assert "there is no such bucket; create it, or correct its name" in outcome.err.splitlines()[-1]
    assert place.aws.queries() == []


def test_a_bucket_of_another_owner(place):
    outcome = place.orchestrate("--bucket-owner", "999999999999")
    assert outcome.code == 2, outcome.err
    assert BUCKET in outcome.err
    assert "--bucket-owner" in outcome.err.splitlines()[-1]
    assert place.records == []
    place.engine = "duckdb"
    place.require_published(place.orchestrate("--bucket-owner", "123456789012"))


def test_a_workgroup_that_is_not_there(place):
    record = require_failed(place, place.orchestrate("--workgroup", "nobodys"), 2)
    assert "workgroup nobodys" in record["error"]["message"]
    assert place.aws.queries() == []


@pytest.fixture
def topic(place):
    """A topic for alerts."""
    place.aws.client("sns").create_topic(Name="alerts")


@pytest.mark.parametrize("fault", ["throttle", "deny"])
def test_alerts_that_sns_does_not_take_change_no_result(place, topic, fault):
    place.engine = "duckdb"
    getattr(place.aws.faults, fault)("sns", "Publish", times=None)
    outcome = place.orchestrate("--sns-topic", TOPIC, "--notify-success")
    place.aws.faults.clear()

    record = place.require_published(outcome)
    assert "alert not sent" in outcome.err
    assert {each["about"] for each in record["alerts"] if each["problem"]} >= {"expiring"}
    again = place.orchestrate("--sns-topic", TOPIC)
    assert again.code == 0
    assert "alert not sent" not in again.err
    delivered = place.records[-1]["alerts"][0]
    assert (delivered["about"], delivered["problem"]) == ("expiring", None)


def test_a_failure_that_cannot_be_told_keeps_its_exit_code(place, topic):
    place.aws.faults.deny("sns", "Publish")
    place.aws.faults.deny("glue", "CreateTable")
    outcome = place.orchestrate("--sns-topic", TOPIC)
    place.aws.faults.clear()
    require_failed(place, outcome, 2)
    assert "alert not sent" in outcome.err
