"""Objects on S3 that may not be read: each is one rejected file, and read once that is allowed."""

import pytest

from tests.support.aws_root import BUCKET, ROOT, facility, require_failed

pytest_plugins = ["tests.support.aws_root"]

OTHER = "raw/2026-02-02/more.jsonl"
MORE = facility("f-more", "TX", "2026-04-01")
ALLOWED = ("--max-rejected-files", "1", "--max-rejects", "50%")


@pytest.fixture
def locked(place):
    """A root with a second file, which S3 gives neither content nor head of."""
    place.put(OTHER, MORE)
    lock(place)
    return place


def lock(place, key=OTHER):
    for action in ("GetObject", "HeadObject"):
        place.aws.faults.deny("s3", action, key=f"root/{key}")


@pytest.mark.parametrize("engine", ["duckdb", "athena"])
def test_an_object_that_may_not_be_read_is_one_rejected_file(locked, engine):
    locked.engine = engine

    stopped = require_failed(locked, locked.orchestrate(), 3)
    allowed = locked.orchestrate(*ALLOWED)

    assert "files rejected whole 1 of 2" in stopped["error"]["message"]
    assert allowed.code == 0, allowed.err
    record = locked.records[-1]
    assert (record["records"]["accepted"], record["issues"]["file_unreadable"]) == (2, 1)


def test_it_is_read_once_that_is_allowed(locked):
    locked.engine = "duckdb"
    assert locked.orchestrate(*ALLOWED).code == 0
    locked.aws.faults.clear()

    assert locked.orchestrate(*ALLOWED).code == 0

    assert locked.records[-1]["records"] | {"superseded": 0} == {
        "lines": 3, "accepted": 3, "rejected": 0, "superseded": 0, "resolved": 0,
    }  # fmt: skip


def test_an_object_that_is_named_outright_is_found_by_its_listing(locked):
    outcome = locked.run("extract", f"{ROOT}/{OTHER}", "--as-of", "2026-01-05", "--json")

    assert outcome.document["issues"] == {"file_unreadable": 1}


def test_an_archived_object_is_one_that_cannot_be_read(place):
    place.put(OTHER, MORE)
    place.s3.put_object(Bucket=BUCKET, Key=f"root/{OTHER}", Body=MORE, StorageClass="DEEP_ARCHIVE")
    place.engine = "duckdb"

    assert place.orchestrate(*ALLOWED).code == 0

    assert place.records[-1]["issues"] == {"file_unreadable": 1}


@pytest.mark.parametrize("command", ["orchestrate", "extract"])
def test_a_folder_that_may_not_be_listed_ends_the_run(place, command):
    place.aws.faults.deny("s3", "ListObjectsV2")

    outcome = place.run(command, f"{ROOT}/raw", "--as-of", "2026-01-05")

    assert outcome.code == 2
    assert "s3:ListBucket" in outcome.err.splitlines()[-1]
