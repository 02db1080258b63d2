"""The local Athena keeps the rules of Athena's API reference."""

import json
import subprocess
import sys
import urllib.request
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.local_aws import local_aws
from tests.local_aws.asking import BUCKET, DATABASE, OUTPUT, User, unload
from tests.local_aws.server import client

TOKEN = "t" * 32
COUNT_SQL = "select n from unnest(sequence(1, {})) as numbers (n)"


@pytest.fixture(scope="module")
def server():
    with local_aws() as aws:
        yield aws


@pytest.fixture
def user(server):
    server.reset()
    return User(server)


def refused(user, sql: str, **asked) -> str:
    with pytest.raises(user.athena.exceptions.InvalidRequestException) as caught:
        user.start(sql, **asked)
    return caught.value.response["Error"]["Message"]


def loose_client(user):
    """A client that sends what it is given, valid or not."""
    return client("athena", user.aws.endpoint_url, parameter_validation=False)


@pytest.mark.parametrize("length", [31, 129])
def test_a_token_has_32_to_128_characters(user, length):
    with pytest.raises(ClientError, match="clientRequestToken") as caught:
        loose_client(user).start_query_execution(
            QueryString="select 1",
            ClientRequestToken="x" * length,
            ResultConfiguration={"OutputLocation": OUTPUT},
        )
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


@pytest.mark.parametrize("length", [32, 128])
def test_tokens_of_the_allowed_lengths_are_taken(user, length):
    assert user.start("select 1", ClientRequestToken="x" * length)


def test_the_same_token_and_request_give_the_same_query(user):
    first = user.start("select 1", ClientRequestToken=TOKEN)
    assert user.start("select 1", ClientRequestToken=TOKEN) == first
    assert len(user.aws.queries()) == 1


def test_the_same_token_with_another_request_is_refused(user):
    user.start("select 1", ClientRequestToken=TOKEN)
    message = refused(user, "select 2", ClientRequestToken=TOKEN)
    assert message == "Idempotent parameters do not match"


def test_a_query_goes_through_its_states(user):
    user.aws.faults.hang_query()
    query_id = user.start("select 1")
    asked = {"QueryExecutionId": query_id}
    states = set()
    while "RUNNING" not in states:
        states.add(user.athena.get_query_execution(**asked)["QueryExecution"]["Status"]["State"])
    assert states <= {"QUEUED", "RUNNING"}
    with pytest.raises(ClientError, match=r"Query has not yet finished\. Current state: RUNNING"):
        user.athena.get_query_results(**asked)
    user.athena.stop_query_execution(**asked)
    assert user.aws.wait_for(query_id)["Status"]["State"] == "CANCELLED"
    with pytest.raises(ClientError, match="Final query state: CANCELLED"):
        user.athena.get_query_results(**asked)


def test_a_query_that_has_ended_stays_as_it_is_when_stopped(user):
    query_id = user.run("select 1")["QueryExecutionId"]
    user.athena.stop_query_execution(QueryExecutionId=query_id)
    assert user.aws.wait_for(query_id)["Status"]["State"] == "SUCCEEDED"


def test_an_unknown_query_is_refused(user):
    with pytest.raises(ClientError, match="was not found"):
        user.athena.get_query_execution(QueryExecutionId=str(uuid4()))


def test_at_most_25_queries_run_at_once(user):
    user.aws.faults.hang_query(times=None)
    ids = [user.start(f"select {number}") for number in range(26)]
    while (states := [q["Status"]["State"] for q in user.aws.queries()]).count("RUNNING") < 25:
        pass
    assert states.count("QUEUED") == 1
    for query_id in ids:
        user.athena.stop_query_execution(QueryExecutionId=query_id)
    ended = {user.aws.wait_for(query_id)["Status"]["State"] for query_id in ids}
    assert ended == {"CANCELLED"}


def test_the_first_row_of_the_first_page_holds_the_names(user):
    query_id = user.run(COUNT_SQL.format(1500) + " order by n")["QueryExecutionId"]
    pages = user.athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)
    rows = [[row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]] for page in pages]
    assert [len(page) for page in rows] == [1000, 501]
    assert [*rows[0], *rows[1]] == ["n", *map(str, range(1, 1501))]


def test_pages_have_at_most_1000_rows(user):
    query_id = user.run("select 1")["QueryExecutionId"]
    with pytest.raises(ClientError, match="MaxResults is more than maximum allowed length 1000"):
        loose_client(user).get_query_results(QueryExecutionId=query_id, MaxResults=1001)


def test_small_pages_follow_one_another(user):
    query_id = user.run(COUNT_SQL.format(3) + " order by n")["QueryExecutionId"]
    pages = user.athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=query_id, PaginationConfig={"PageSize": 1}
    )
    values = [p["ResultSet"]["Rows"][0]["Data"][0]["VarCharValue"] for p in pages]
    assert values == ["n", "1", "2", "3"]


def test_values_are_texts_and_null_is_an_absent_key(user):
    sql = """
        select 1 as i, cast(null as varchar) as v, '' as e, true as b, date '2026-02-03' as d,
            array['x', null] as a, cast(row(1, 'y') as row(p integer, q varchar)) as r,
            cast(2.5 as double) as f, cast(7 as bigint) as l, cast(3 as decimal(38, 0)) as m,
            to_utf8('Az') as o
    """
    found = user.athena.get_query_results(QueryExecutionId=user.run(sql)["QueryExecutionId"])
    result = found["ResultSet"]
    assert result["Rows"][1]["Data"] == [
        {"VarCharValue": "1"},
        {},
        {"VarCharValue": ""},
        {"VarCharValue": "true"},
        {"VarCharValue": "2026-02-03"},
        {"VarCharValue": "[x, null]"},
        {"VarCharValue": "{p=1, q=y}"},
        {"VarCharValue": "2.5"},
        {"VarCharValue": "7"},
        {"VarCharValue": "3"},
        {"VarCharValue": "41 7a"},
    ]
    types = [column["Type"] for column in result["ResultSetMetadata"]["ColumnInfo"]]
    assert types == [
        "integer", "varchar", "varchar", "boolean", "date", "array", "row", "double", "bigint",
        "decimal", "varbinary",
    ]  # fmt: skip


def test_results_are_kept_as_csv(user):
    execution = user.run("select 1 as a, cast(null as varchar) as b, 'x\"\ny' as c")
    place = execution["ResultConfiguration"]["OutputLocation"]
    assert place == f"{OUTPUT}{execution['QueryExecutionId']}.csv"
    assert user.get(place) == b'"a","b","c"\n"1",,"x""\ny"\n'
    assert f"{place}.metadata" in user.below(OUTPUT)


def test_without_a_location_a_query_is_refused(user):
    message = refused(user, "select 1", ResultConfiguration={})
    assert message.startswith("No output location provided.")


def work_group(user, name: str, **configuration) -> dict:
    user.athena.create_work_group(Name=name, Configuration=configuration)
    return {"WorkGroup": name}


def test_an_enforced_workgroup_overrides_the_clients_location(user):
    place = {"OutputLocation": f"s3://{BUCKET}/enforced/"}
    asked = work_group(user, "enforced", ResultConfiguration=place)
    execution = user.run("select 1", **asked)
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(place["OutputLocation"])
    assert user.below(OUTPUT) == []


def test_a_workgroup_that_enforces_nothing_gives_way(user):
    place = {"OutputLocation": f"s3://{BUCKET}/own/"}
    asked = work_group(user, "free", ResultConfiguration=place, EnforceWorkGroupConfiguration=False)
    told = user.run("select 1", **asked)["ResultConfiguration"]["OutputLocation"]
    assert told.startswith(OUTPUT)
    untold = user.run("select 2", **asked, ResultConfiguration={})
    assert untold["ResultConfiguration"]["OutputLocation"].startswith(place["OutputLocation"])


def test_managed_results_have_no_location(user):
    asked = work_group(user, "managed", ManagedQueryResultsConfiguration={"Enabled": True})
    assert "ManagedQueryResultsConfiguration" in refused(user, "select 1", **asked)
    execution = user.run("select 1 as a", **asked, ResultConfiguration={})
    assert "ResultConfiguration" not in execution
    assert execution["ManagedQueryResultsConfiguration"] == {"Enabled": True}
    assert user.page(execution["QueryExecutionId"]) == [("a",), ("1",)]
    assert user.below(f"s3://{BUCKET}/") == []


def test_workgroups_are_listed_and_described(user):
    work_group(user, "one")
    names = {group["Name"] for group in user.athena.list_work_groups()["WorkGroups"]}
    assert names == {"primary", "one"}
    found = user.athena.get_work_group(WorkGroup="one")["WorkGroup"]
    assert found["Configuration"]["EnforceWorkGroupConfiguration"] is True
    assert "not found" in refused(user, "select 1", WorkGroup="two")


def test_a_missing_result_bucket_is_refused(user):
    place = {"OutputLocation": "s3://no-such-bucket/x/"}
    message = refused(user, "select 1", ResultConfiguration=place)
    assert message == "Unable to verify/create output bucket no-such-bucket"


def test_statistics_tell_the_bytes_of_the_files(user):
    table = user.lines(b"12345\n" * 100)
    statistics = user.run(f"select count(*) from {table}")["Statistics"]
    assert statistics["DataScannedInBytes"] == 600
    assert statistics["TotalExecutionTimeInMillis"] >= 0


def test_several_queries_are_described_at_once(user):
    ids = [user.run(f"select {number}")["QueryExecutionId"] for number in range(2)]
    missing = str(uuid4())
    found = user.athena.batch_get_query_execution(QueryExecutionIds=[*ids, missing])
    assert [one["QueryExecutionId"] for one in found["QueryExecutions"]] == ids
    (unprocessed,) = found["UnprocessedQueryExecutionIds"]
    assert unprocessed["QueryExecutionId"] == missing


def test_an_unload_tells_of_its_files_in_a_manifest(user):
    target = f"s3://{BUCKET}/unloaded/"
    execution = user.run(unload("select 1 as a", target))
    manifest = user.get(execution["Statistics"]["DataManifestLocation"]).decode()
    assert manifest.splitlines() == user.below(target)
    assert user.page(execution["QueryExecutionId"]) == []


@pytest.mark.parametrize("of", ["Table", "Partition"])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_glue_answers_what_trino_asks_when_it_writes(user, verb, of):
    call = getattr(user.glue, f"{verb}_column_statistics_for_{of.lower()}")
    asked = {"DatabaseName": DATABASE, "TableName": "t"}
    asked |= {"ColumnStatisticsList": []} if verb == "update" else {"ColumnName": "c"}
    assert call(**asked, **({"PartitionValues": []} if of == "Partition" else {}))


def test_sns_delivers_to_sqs(user):
    sns, sqs = user.aws.client("sns"), user.aws.client("sqs")
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    sns.publish(TopicArn=topic, Message="lapsed")
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["Message"] == "lapsed"
    assert user.aws.count("sns", "Publish") == 1


def test_as_a_process_it_serves_until_it_is_ended():
    command = [sys.executable, "-m", "tests.local_aws", "--bucket", "ready"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            first = process.stdout.readline().strip()
            endpoint = first.partition("AWS_ENDPOINT_URL=")[2]
            with urllib.request.urlopen(f"{endpoint}/_queries") as answer:
                assert json.load(answer) == {"running": [], "all": []}
            s3 = client("s3", endpoint)
            assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["ready"]
        finally:
            process.terminate()
        assert process.wait(10) == 0
