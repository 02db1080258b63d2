"""The local AWS fails on request, as AWS does, and tells what it was asked."""

import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.local_aws import local_aws
from tests.local_aws.asking import BUCKET, OUTPUT, User
from tests.local_aws.server import client


@pytest.fixture(scope="module")
def server():
    with local_aws() as aws:
        yield aws


@pytest.fixture
def user(server):
    server.reset()
    return User(server)


def once(user, service: str):
    """A client that does not try again."""
    return client(
        service, user.aws.endpoint_url, retries={"total_max_attempts": 1, "mode": "standard"}
    )


def code(call, **asked) -> str:
    with pytest.raises(ClientError) as caught:
        call(**asked)
    return caught.value.response["Error"]["Code"]


def start(user, sql: str = "select 1", token: str = "t" * 32) -> dict:
    return {
        "QueryString": sql,
        "ClientRequestToken": token,
        "ResultConfiguration": {"OutputLocation": OUTPUT},
    }


def test_athena_throttles_starts_by_another_name(user):
    user.aws.faults.throttle("athena", times=2)
    athena = once(user, "athena")
    assert code(athena.start_query_execution, **start(user)) == "TooManyRequestsException"
    assert code(athena.list_work_groups) == "ThrottlingException"
    assert athena.list_work_groups()["WorkGroups"]


def test_glue_and_sns_and_s3_throttle(user):
    for service in ("glue", "sns", "s3"):
        user.aws.faults.throttle(service)
    assert code(once(user, "glue").get_databases) == "ThrottlingException"
    assert code(once(user, "sns").list_topics) == "Throttling"
    assert code(once(user, "s3").list_buckets) == "SlowDown"


def test_a_client_that_tries_again_gets_through(user):
    user.aws.faults.throttle("s3", "PutObject", times=1)
    user.put("a", b"x")
    assert user.aws.count("s3", "PutObject") == 2


def test_a_query_fails_once_and_then_succeeds(user):
    user.aws.faults.fail_query("SlowDown: Please reduce your request rate", retryable=True)
    status = user.run("select 1")["Status"]
    assert (status["State"], status["StateChangeReason"]) == (
        "FAILED",
        "SlowDown: Please reduce your request rate",
    )
    assert status["AthenaError"]["Retryable"] is True
    assert user.rows("select 1") == [("1",)]


def test_a_fault_can_be_for_certain_queries(user):
    user.aws.faults.fail_query("no", containing="unlucky")
    assert user.rows("select 1") == [("1",)]
    assert user.failure("select 'unlucky'") == "no"


def test_a_query_hangs_until_it_is_stopped(user):
    user.aws.faults.hang_query()
    query_id = user.start("select 1")
    assert user.aws.running_queries() == [query_id]
    user.athena.stop_query_execution(QueryExecutionId=query_id)
    assert user.aws.wait_for(query_id)["Status"]["State"] == "CANCELLED"
    assert user.aws.running_queries() == []


def test_somebody_else_stops_a_query(user):
    user.aws.faults.cancel_query()
    status = user.run("select 1")["Status"]
    assert (status["State"], status["StateChangeReason"]) == (
        "CANCELLED",
        "Query cancelled by user",
    )
    assert user.aws.count("athena", "StopQueryExecution") == 0


@pytest.mark.parametrize("how", ["drop", "error"])
def test_the_answer_to_a_start_is_lost_and_the_token_finds_the_query(user, how):
    user.aws.faults.lose_answer("athena", "StartQueryExecution", how=how)
    athena = once(user, "athena")
    with pytest.raises((ClientError, ConnectionClosedError)):
        athena.start_query_execution(**start(user))
    (lost,) = user.aws.queries()
    found = athena.start_query_execution(**start(user))["QueryExecutionId"]
    assert found == lost["QueryExecutionId"]
    assert user.aws.count("athena", "StartQueryExecution") == 2


def test_the_answer_to_a_put_is_lost_and_the_object_is_there(user):
    user.aws.faults.lose_answer("s3", "PutObject")
    with pytest.raises(ConnectionClosedError):
        once(user, "s3").put_object(Bucket=BUCKET, Key="a", Body=b"mine", IfNoneMatch="*")
    again = once(user, "s3").put_object
    assert code(again, Bucket=BUCKET, Key="a", Body=b"mine", IfNoneMatch="*") == (
        "PreconditionFailed"
    )
    assert user.get(f"s3://{BUCKET}/a") == b"mine"


@pytest.mark.parametrize(
    ("service", "action", "expected"),
    [
        ("athena", "list_work_groups", "ExpiredTokenException"),
        ("glue", "get_databases", "ExpiredTokenException"),
        ("s3", "list_buckets", "ExpiredToken"),
        ("sns", "list_topics", "ExpiredToken"),
        ("sts", "get_caller_identity", "ExpiredToken"),
    ],
)
def test_credentials_expire_for_good(user, service, action, expected):
    user.aws.faults.expire_credentials()
    call = getattr(once(user, service), action)
    assert [code(call), code(call)] == [expected, expected]


def test_a_denial_names_the_action_and_the_resource(user):
    user.aws.faults.deny("athena", "StartQueryExecution")
    with pytest.raises(ClientError, match="AccessDeniedException") as caught:
        once(user, "athena").start_query_execution(**start(user))
    message = caught.value.response["Error"]["Message"]
    assert "not authorized to perform: athena:StartQueryExecution on resource: arn:aws:" in message
    assert message.endswith("workgroup/primary")


def test_a_denial_by_s3_names_the_object(user):
    user.aws.faults.deny("s3", "GetObject")
    user.put("a", b"x")
    with pytest.raises(ClientError, match="AccessDenied") as caught:
        user.get(f"s3://{BUCKET}/a")
    assert f"s3:GetObject on resource: arn:aws:s3:::{BUCKET}/a" in str(caught.value)
    assert user.s3.head_object(Bucket=BUCKET, Key="a")


def test_a_bucket_is_missing(user):
    user.aws.faults.missing_bucket(BUCKET)
    assert code(user.s3.list_objects_v2, Bucket=BUCKET) == "NoSuchBucket"
    assert code(user.s3.head_bucket, Bucket=BUCKET) == "404"


def test_the_next_conditional_put_of_a_key_is_refused(user):
    user.aws.faults.refuse_put("state/*")
    user.put("state/a", b"unconditional")
    put = {"Bucket": BUCKET, "Key": "state/b", "Body": b"x", "IfNoneMatch": "*"}
    assert code(user.s3.put_object, **put) == "PreconditionFailed"
    assert user.s3.put_object(**put)["ETag"]


def test_an_object_is_overwritten_while_a_query_runs(user):
    table = user.lines(b"old\n")
    user.aws.faults.while_query_runs(lambda: user.put("raw/lines.jsonl", b"new\n"))
    assert user.rows(f"select line from {table}") == [("new",)]


def test_any_call_can_fail(user):
    user.aws.faults.fail_call("sns", "Publish", "KMSAccessDenied", "no key", 400)
    topic = user.aws.client("sns").create_topic(Name="alerts")["TopicArn"]
    assert code(once(user, "sns").publish, TopicArn=topic, Message="x") == "KMSAccessDenied"


def asked_over_http(user, path: str, method: str = "GET", **content):
    request = urllib.request.Request(
        user.aws.endpoint_url + path, json.dumps(content).encode(), method=method
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_faults_are_asked_for_over_http(user):
    asked_over_http(user, "/_faults", "POST", fault="fail_query", reason="SlowDown")
    put = {"bucket": BUCKET, "key": "hook", "body": "x"}
    asked_over_http(user, "/_faults", "POST", fault="while_query_runs", put=put)
    assert user.failure("select 1") == "SlowDown"
    assert user.get(f"s3://{BUCKET}/hook") == b"x"
    asked_over_http(user, "/_faults", "POST", fault="throttle", service="glue")
    asked_over_http(user, "/_faults", "DELETE")
    assert once(user, "glue").get_databases()["DatabaseList"]
    actions = [call["action"] for call in asked_over_http(user, "/_calls")]
    assert actions[-1] == "GetDatabases"
    assert asked_over_http(user, "/_queries")["running"] == []


def test_an_unknown_fault_is_an_error(user):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        asked_over_http(user, "/_faults", "POST", fault="earthquake")


def test_calls_are_logged_with_their_times(user):
    user.run("select 1")
    calls = [call for call in user.aws.calls if call.service == "athena"]
    assert [call.action for call in calls] == ["StartQueryExecution", "GetQueryExecution"]
    assert calls[0].at <= calls[1].at


def test_nothing_is_left_after_a_reset(user):
    user.aws.faults.hang_query(times=None)
    user.start("select 1")
    user.aws.reset()
    assert user.aws.running_queries() == user.aws.queries() == user.aws.calls == []
    assert user.s3.list_buckets()["Buckets"] == []
