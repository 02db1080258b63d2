"""A root in a bucket of the local AWS, commands on it, and checks of what they leave behind."""

import json
import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from healthpipe.aws import session
from healthpipe.engines.athena import api, queries
from healthpipe.retry import Backoff
from tests.conftest import AS_OF, Outcome
from tests.local_aws import LocalAws, local_aws

BUCKET = "hpipe"
ROOT = f"s3://{BUCKET}/root"
DATABASE = "healthpipe"
AT_WORK = ("running", "paused")
RAW = "raw/2026-02-01/facilities.jsonl"


def facility(facility_id: str, state: str, valid_until: str) -> bytes:
    """A line of a facility with one accreditation."""
    held = {"accreditation_body": "TJC", "accreditation_id": "a", "valid_until": valid_until}
    record = {
        "facility_id": facility_id,
        "facility_name": f"Clinic {facility_id}",
        "location": {"state": state},
        "employee_count": 5,
        "accreditations": [held],
    }
    return json.dumps(record).encode() + b"\n"


SOON = facility("f-soon", "CA", "2026-03-01")
LATE = facility("f-late", "NY", "2030-01-01")


@dataclass
class AwsRoot:
    """A root in a bucket of the local AWS, with one raw file of two facilities: the
    accreditation of one expires within six months, that of the other does not.
    """

    aws: LocalAws
    cli: Any
    engine: str = "athena"

    def __post_init__(self) -> None:
        self.s3, self.glue = self.aws.client("s3"), self.aws.client("glue")
        self.s3.create_bucket(Bucket=BUCKET)
        self.put(RAW, SOON + LATE)

    def run(self, *words: str) -> Outcome:
        """Run a command on this root."""
        return self.cli(*words, "--root", ROOT)

    def orchestrate(self, *more: str, as_of: str = AS_OF) -> Outcome:
        return self.run("orchestrate", "--engine", self.engine, "--as-of", as_of, *more)

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=f"root/{key}", Body=body)
        return f"{ROOT}/{key}"

    def get(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=f"root/{key}")["Body"].read()

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=BUCKET, Key=f"root/{key}")

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=f"root/{prefix}"
        )
        found = (item["Key"] for page in pages for item in page.get("Contents", ()))
        return [key.removeprefix("root/") for key in found]

    def json(self, key: str) -> dict[str, Any]:
        return json.loads(self.get(key))

    @property
    def live(self) -> dict[str, Any]:
        """The document current.json, empty before the first run."""
        found = "production/current.json" in self.keys("production/")
        return self.json("production/current.json") if found else {}

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of all runs, oldest first."""
        keys = [key for key in self.keys("runs/") if key.endswith("/run.json")]
        return sorted(map(self.json, keys), key=lambda record: record["started_at"])

    def published(self, name: str) -> bytes:
        """The content of a published file."""
        (path,) = [file["path"] for file in self.live["files"] if file["path"].endswith(name)]
        return self.get(path)

    def tables(self) -> list[str]:
        """The names of all tables in Glue."""
        known = [each["Name"] for each in self.glue.get_databases()["DatabaseList"]]
        if DATABASE not in known:
            return []
        return [each["Name"] for each in self.glue.get_tables(DatabaseName=DATABASE)["TableList"]]

    def tables_of_runs(self) -> list[str]:
        """The names of the tables that only a running run needs."""
        return [name for name in self.tables() if name.startswith(("raw_", "facilities_2"))]

    def require_published(self, outcome: Outcome, expiring: bytes = SOON) -> dict[str, Any]:
        """Check that a run succeeded and is live with these expiring records; its record."""
        assert outcome.code == 0, outcome.err
        require_clean(self)
        record = self.records[-1]
        assert (record["status"], self.live["run_id"]) == ("succeeded", record["run_id"])
        assert self.published("expiring.ndjson") == expiring
        return record

    def states(self) -> Counter[str]:
        """How many queries ended in each state."""
        return Counter(query["Status"]["State"] for query in self.aws.queries())


def require_clean(place: AwsRoot) -> None:
    """Check that no query runs and no table, temporary object or lease of a run is left."""
    assert place.aws.running_queries() == []
    assert not place.tables_of_runs(), place.tables()
    keys = place.keys()
    left = [key for key in keys if "/attempts/" in key or key.startswith("state/at-work/")]
    assert not left, left
    if "state/lock.json" in keys:
        assert place.json("state/lock.json").get("is_free"), "the lease was not given back"
    for record in place.records:
        assert record["status"] != "running", record
        at_work = [step["name"] for step in record["steps"] if step["status"] in AT_WORK]
        assert set(at_work) <= {"Finish"}, at_work
    require_whole(place)


def require_whole(place: AwsRoot) -> None:
    """Check that every file that the pointer names is there whole."""
    live = place.live
    for file in live.get("files", ()):
        head = place.s3.head_object(Bucket=BUCKET, Key=f"root/{file['path']}")
        assert head["ContentLength"] == file["bytes"], file["path"]


def require_failed(place: AwsRoot, outcome: Outcome, code: int) -> dict[str, Any]:
    """Check that a run failed with an exit code and one line of error, with nothing half done;
    its record.
    """
    assert outcome.code == code, (outcome.code, outcome.err)
    assert "Traceback" not in outcome.err
    last = outcome.err.splitlines()[-1]
    assert last.startswith("healthpipe: "), outcome.err
    assert not place.live
    assert not [key for key in place.keys("production/") if not key.endswith(".json")]
    require_clean(place)
    record = place.records[-1]
    assert record["status"] in ("failed", "interrupted")
    assert record["error"]["message"] in last
    assert record["error"]["hint"], record["error"]
    return record


@pytest.fixture(scope="module")
def running_aws():
    """A local AWS for the tests of a module; moto keeps one state for a process."""
    with local_aws(os.environ.get("HEALTHPIPE_TEST_SQL", "duckdb")) as aws:
        yield aws


@pytest.fixture
def empty_aws(running_aws, monkeypatch, tmp_path):
    """The local AWS, emptied, as the only one that boto3 finds; pauses are short."""
    running_aws.reset()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in running_aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # A client keeps count of what it tried again.
    monkeypatch.setattr(session, "_clients", {})
    shorten_pauses(monkeypatch)
    return running_aws


def shorten_pauses(monkeypatch) -> None:
    """Shorten the pauses between polls and before retries."""
    monkeypatch.setattr(queries, "POLL_INTERVALS", Backoff(0.02, 0.05))
    monkeypatch.setattr(queries, "START_BACKOFF", Backoff(0.01, 0.01))
    monkeypatch.setattr(queries, "STOP_POLL_S", 0.02)
    monkeypatch.setattr(api, "BACKOFF", Backoff(0.01, 0.01))
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)


@pytest.fixture
def place(empty_aws, cli):
    """A root that Athena computes on."""
    return AwsRoot(empty_aws, cli)
