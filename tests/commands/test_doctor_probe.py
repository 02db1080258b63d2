"""`doctor --probe`: the facts of Athena that the SQL rests on, over the local AWS."""

import os
import re
import signal
from dataclasses import replace

import pytest

from healthpipe.doctor import probe
from healthpipe.engines.athena import queries
from tests.support.athena_root import ROOT
from tests.support.doctor import ON_ATHENA, assert_all_holds, assert_nothing_is_left, calls
from tests.support.documented_commands import PROJECT

pytest_plugins = ["tests.support.athena_root"]


@pytest.mark.parametrize("arguments", [(), ("--root", ROOT), ("--engine", "athena")])
def test_a_probe_needs_athena_and_a_root_on_s3(cli, site, arguments):
    outcome = cli("doctor", "--probe", *arguments)
    assert outcome.code == 2
    assert "--engine athena --root s3://" in outcome.err
    assert calls(site) == []


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
    monkeypatch.setattr(queries, "STOP_POLL_S", 0.02)


def test_every_fact_holds_on_the_local_athena(cli, site, soon):
    assert_all_holds(cli, site.aws)
    assert_permissions_are_documented(site)


@pytest.mark.pitfall(59)
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
