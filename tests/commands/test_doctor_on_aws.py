"""`doctor` on AWS: each check over the local AWS of the tests, and the probe of Athena."""

import json
import os
import re
import signal
from dataclasses import replace

import pytest
from moto.sns.models import sns_backends

from healthpipe.doctor import probe
from healthpipe.engines.athena import queries
from tests.local_aws import LocalAws
from tests.support.athena_site import BUCKET, ROOT
from tests.support.console import PROJECT

pytest_plugins = ["tests.support.athena_site"]

ON_ATHENA = ("--root", ROOT, "--engine", "athena")
ALARMS = "arn:aws:sns:us-east-1:123456789012:alarms"


@pytest.fixture
def examined(cli, site):
    """What `doctor` finds on Athena: its exit code, and by check its verdict and text."""

    def call(*arguments):
        outcome = cli("doctor", *ON_ATHENA, *arguments)
        rows = [line.split("\t") for line in outcome.out.splitlines()]
        return outcome.code, {what: (verdict, told) for what, verdict, told in rows}

    return call


@pytest.fixture
def database(site):
    site.aws.client("glue").create_database(DatabaseInput={"Name": "healthpipe"})


def calls(site) -> list[str]:
    """What was called since the test's bucket was made."""
    return [call.action for call in site.aws.calls[1:]]


def workgroup(site, **configuration):
    site.aws.client("athena").create_work_group(Name="own", Configuration=configuration)


def test_all_is_well(site, database, examined):
    topic = site.aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    # moto does not count those who subscribe.
    sns_backends[topic.split(":")[4]]["us-east-1"].topics[topic].subscriptions_confimed = 1
    site.put("raw/a.jsonl", b"{}\n")
    code, checks = examined("--sns-topic", topic)
    assert code == 0
    assert {what for what, (verdict, _) in checks.items() if verdict != "ok"} == set(), checks
    assert checks["region"][1] == "us-east-1"
    assert checks["credentials"][1].startswith("arn:aws:sts::123456789012:")
    assert checks["topic"][1].startswith(f"{topic} has 1 subscriber;")
    assert [file.removeprefix(ROOT) for file in site.files(ROOT)] == ["/raw/a.jsonl"]


def test_the_first_run_makes_the_database(examined):
    code, checks = examined()
    assert code == 0
    assert checks["database"][0] == "warning"
    assert "glue:CreateDatabase" in checks["database"][1]


# A fault or an option; the check that fails, and what its text names.
BROKEN = {
    "no bucket": (None, ("--root", "s3://nobody-has-this/root"), "bucket", "mend --root"),
    "no workgroup": (None, ("--workgroup", "none"), "workgroup", "give another --workgroup"),
    "wrong owner": (("s3", "HeadBucket"), ("--bucket-owner", "9" * 12), "bucket", "--bucket-owner"),
    "no listing": (("s3", "ListObjectsV2"), (), "reading", "allow s3:ListBucket"),
    "no writing": (("s3", "PutObject"), (), "writing", "allow s3:PutObject"),
    "no Glue": (("glue", "GetDatabase"), (), "database", "allow glue:GetDatabase"),
    "no Athena": (("athena", "GetWorkGroup"), (), "workgroup", "allow athena:GetWorkGroup"),
    "no topic": (None, ("--sns-topic", ALARMS), "topic", "mend --sns-topic"),
    "no profile": (None, ("--profile", "nobody"), "region", "check --profile"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_failed_check_says_how_to_mend_it(site, examined, name):
    fault, options, what, fix = BROKEN[name]
    if fault:
        site.aws.faults.deny(*fault)
    code, checks = examined(*options)
    assert code == 2
    verdict, told = checks[what]
    assert verdict == "failed"
    assert fix in told


def test_a_region_is_needed(examined, monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    code, checks = examined()
    assert code == 2
    assert checks["region"] == ("failed", "no region is set; give --region")
    assert checks["bucket"] == ("skipped", "not looked at without region")


def test_without_credentials_nothing_else_is_looked_at(site, examined, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    code, checks = examined()
    assert code == 2
    assert checks["credentials"][0] == "failed"
    assert "--profile" in checks["credentials"][1]
    assert {checks[what][0] for what in ("bucket", "workgroup", "database")} == {"skipped"}
    assert calls(site) == []


def test_a_disabled_workgroup_is_of_no_use(site, examined):
    workgroup(site)
    site.aws._athena._workgroups._held["own"]["State"] = "DISABLED"
    code, checks = examined("--workgroup", "own")
    assert code == 2
    assert checks["workgroup"][1].startswith("the workgroup own is disabled; enable it")


def test_a_workgroup_that_enforces_no_place_is_of_no_use(site, examined):
    workgroup(site, EnforceWorkGroupConfiguration=True)
    code, checks = examined("--workgroup", "own")
    assert code == 2
    assert "set its query result location" in checks["workgroup"][1]


RESULTS = f"s3://{BUCKET}/results"


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"ManagedQueryResultsConfiguration": {"Enabled": True}}, "warning"),
        ({"ResultConfiguration": {"OutputLocation": "s3://elsewhere/"}}, "warning"),
        ({"ResultConfiguration": {"OutputLocation": f"{RESULTS}/"}}, "ok"),
        ({"EnforceWorkGroupConfiguration": False}, "ok"),
    ],
)
def test_a_place_for_results_that_the_workgroup_overrides_is_told(
    site, examined, configuration, told
):
    workgroup(site, **configuration)
    code, checks = examined("--workgroup", "own", "--athena-output", RESULTS)
    assert code == 0
    assert checks["workgroup"][0] == told
    assert ("drop --athena-output" in checks["workgroup"][1]) == (told == "warning")


def test_a_topic_that_nobody_listens_to_is_a_warning(site, examined):
    topic = site.aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    code, checks = examined("--sns-topic", topic)
    assert code == 0
    assert checks["topic"][0] == "warning"
    assert "subscribe somebody" in checks["topic"][1]


@pytest.mark.parametrize("action", ["ListPermissions", "GetDataLakeSettings"])
def test_what_no_run_needs_may_be_denied(site, examined, action):
    site.aws.faults.deny("lakeformation", action)
    code, checks = examined()
    assert code == 0
    assert checks["grants"][0] == "warning"


def test_athena_needs_a_root_on_s3(cli, site):
    outcome = cli("doctor", "--engine", "athena", "--json")
    assert outcome.code == 2
    assert outcome.document["error"]["hint"] == "give --root s3://BUCKET/PREFIX"


@pytest.mark.parametrize("arguments", [(), ("--root", ROOT), ("--engine", "athena")])
def test_a_probe_needs_athena_and_a_root_on_s3(cli, site, arguments):
    outcome = cli("doctor", "--probe", *arguments)
    assert outcome.code == 2
    assert "--engine athena --root s3://" in outcome.err
    assert calls(site) == []


def assert_nothing_is_left(aws: LocalAws, reports: int) -> None:
    assert aws.running_queries() == []
    assert aws.client("glue").get_tables(DatabaseName="healthpipe")["TableList"] == []
    found = aws.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    assert len(found) == reports
    assert all(each["Key"].startswith("root/state/probes/") for each in found)


def assert_all_holds(cli, aws: LocalAws) -> None:
    outcome = cli("doctor", *ON_ATHENA, "--probe", "--json")
    assert outcome.code == 0, outcome.err
    told = outcome.document["probe"]
    assert [fact["verdict"] for fact in told["facts"]] == ["ok"] * len(probe.all_facts())
    assert all(fact["seen"] == fact["expected"] for fact in told["facts"])
    assert_nothing_is_left(aws, reports=1)
    bucket, _, key = told["report"].removeprefix("s3://").partition("/")
    kept = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert json.loads(kept) == told
    ids = {query["QueryExecutionId"] for query in aws.queries()}
    assert {query["id"] for query in told["queries"]} == ids
    assert told["bytes_scanned"] == sum(query["bytes_scanned"] for query in told["queries"]) > 0
    assert 0 < told["estimated_usd"] < 0.01


DOCUMENTED = set(re.findall(r"`(\w+:\w+)`", (PROJECT / "docs" / "aws.md").read_text()))
# The permissions of those calls that are not called like theirs.
PERMISSIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
}
OF_THE_TEST = {"s3:CreateBucket", "sns:CreateTopic"}


def assert_permissions_are_documented(site) -> None:
    called = {f"{call.service}:{call.action}" for call in site.aws.calls}
    needed = {PERMISSIONS.get(name, name) for name in called} - OF_THE_TEST
    assert {"s3:PutObject", "glue:CreateTable", "athena:StartQueryExecution"} <= needed
    assert needed - DOCUMENTED == set()


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(queries, "STOP_WAIT_S", 0.02)


def test_every_fact_holds_on_the_local_athena(cli, site, soon):
    assert_all_holds(cli, site.aws)
    assert_permissions_are_documented(site)


@pytest.mark.slow
def test_a_run_needs_the_documented_permissions_alone(site, orchestrate, examples):
    topic = site.aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    assert orchestrate(*ON_ATHENA, "--sns-topic", topic).code == 0
    assert_permissions_are_documented(site)


@pytest.fixture
def few_facts(monkeypatch):
    """The facts of these names alone."""

    def choose(*names):
        chosen = [fact for fact in probe.all_facts() if fact.name in names]
        monkeypatch.setattr(probe, "all_facts", lambda: chosen)
        return chosen

    return choose


def test_a_fact_that_differs_is_told_and_fails(cli, site, few_facts, monkeypatch):
    chosen = few_facts("gzip", "sums")
    wrong = [replace(chosen[0], expected=["other"]), chosen[1]]
    monkeypatch.setattr(probe, "all_facts", lambda: wrong)
    outcome = cli("doctor", *ON_ATHENA, "--probe")
    assert outcome.code == 2
    gzip, sums = (line.split("\t") for line in outcome.out.splitlines()[-2:])
    assert gzip[:2] == ["gzip", "differs"]
    assert gzip[2].endswith(': expected ["other"], seen ["zipped"]')
    assert sums[:2] == ["sums", "ok"]
    assert "healthpipe: 1 fact does not hold here: gzip;" in outcome.err
    assert f"{ROOT}/state/probes/" in outcome.err.splitlines()[-1]
    assert_nothing_is_left(site.aws, reports=1)


def test_a_statement_that_athena_cannot_run_is_a_fact_that_failed(cli, site, few_facts):
    few_facts("maps", "unnest")
    site.aws.faults.fail_query("FUNCTION_NOT_FOUND: line 1:1: no element_at", "element_at", None)
    outcome = cli("doctor", *ON_ATHENA, "--probe", "--json")
    assert outcome.code == 2
    assert outcome.document["error"]["code"] == "probe_failed"
    unnest, maps = outcome.document["probe"]["facts"]
    assert (unnest["fact"], unnest["verdict"]) == ("unnest", "ok")
    assert (maps["fact"], maps["verdict"]) == ("maps", "failed")
    assert "FUNCTION_NOT_FOUND" in maps["seen"]


def test_what_tells_nothing_of_a_fact_ends_the_probe(cli, site, few_facts):
    few_facts("gzip", "sums")
    site.aws.faults.deny("athena", "StartQueryExecution")
    outcome = cli("doctor", *ON_ATHENA, "--probe")
    assert outcome.code == 2
    assert "allow athena:StartQueryExecution" in outcome.err
    assert_nothing_is_left(site.aws, reports=0)


def test_a_failed_check_is_mended_before_anything_is_probed(cli, site):
    outcome = cli("doctor", *ON_ATHENA, "--probe", "--workgroup", "none")
    assert outcome.code == 2
    assert site.aws.queries() == []


def test_an_interrupted_probe_leaves_nothing(cli, site, few_facts, soon):
    few_facts("gzip", "sums")
    site.aws.faults.hang_query("raw_lines")
    site.aws.faults.while_query_runs(lambda: os.kill(os.getpid(), signal.SIGTERM), "raw_lines")
    outcome = cli("doctor", *ON_ATHENA, "--probe")
    assert outcome.code == 143
    assert [query["Status"]["State"] for query in site.aws.queries()] == ["CANCELLED"]
    assert_nothing_is_left(site.aws, reports=0)
