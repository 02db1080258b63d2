"""`doctor` on a local AWS: its checks, its probe, and what must be left of it."""

import json

from healthpipe.doctor import probe
from tests.local_aws import LocalAws
from tests.support.athena_root import BUCKET, ROOT

ON_ATHENA = ("--root", ROOT, "--engine", "athena")


def calls(site) -> list[str]:
    """What was called since the test's bucket was made."""
    return [call.action for call in site.aws.calls[1:]]


def assert_nothing_is_left(aws: LocalAws, reports: int) -> None:
    """Check that a probe leaves its reports, and no query, table or object."""
    assert aws.running_queries() == []
    assert aws.client("glue").get_tables(DatabaseName="healthpipe")["TableList"] == []
    found = aws.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    assert len(found) == reports
    assert all(each["Key"].startswith("root/state/probes/") for each in found)


def assert_all_holds(cli, aws: LocalAws) -> None:
    """Probe, and check that every fact holds, is reported and paid for."""
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
