"""`doctor` on AWS: each check over the local AWS of the tests."""

import pytest
from moto.sns.models import sns_backends

from tests.support.athena_root import BUCKET, ROOT
from tests.support.doctor import ON_ATHENA, calls

pytest_plugins = ["tests.support.athena_root"]


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
    "no bucket": (None, ("--root", "s3://nobody-has-this/root"), "bucket", "correct --root"),
    "no workgroup": (None, ("--workgroup", "none"), "workgroup", "give another --workgroup"),
    "wrong owner": (("s3", "HeadBucket"), ("--bucket-owner", "9" * 12), "bucket", "--bucket-owner"),
    "no listing": (("s3", "ListObjectsV2"), (), "reading", "allow s3:ListBucket"),
    "no writing": (("s3", "PutObject"), (), "writing", "allow s3:PutObject"),
    "no Glue": (("glue", "GetDatabase"), (), "database", "allow glue:GetDatabase"),
    "no Athena": (("athena", "GetWorkGroup"), (), "workgroup", "allow athena:GetWorkGroup"),
    "no topic": (None, ("--sns-topic", ALARMS), "topic", "correct --sns-topic"),
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


@pytest.mark.pitfall(47)
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
