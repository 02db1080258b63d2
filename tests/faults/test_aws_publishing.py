"""Answers that get lost, somebody else who publishes, and tables that do not follow the pointer."""

import json

import pytest

from tests.support.aws_root import DATABASE, LATE, RAW, SOON, require_clean

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.aws_root"]
NEXT_DAY = "2026-02-16"
DATASETS = {"extract", "expiring", "state_counts"}


@pytest.mark.parametrize(("engine", "how"), [("athena", "drop"), ("duckdb", "error")])
def test_conditional_writes_whose_answers_are_lost_are_known_as_ours(place, engine, how):
    place.engine = engine
    for key in ("*/current.json", "*/lock.json", "*/at-work/*", "*/steps/*.json", "*/run.json"):
        place.aws.faults.lose_answer("s3", "PutObject", key=key, times=3, how=how)
    outcome = place.orchestrate()
    place.aws.faults.clear()

    place.require_published(outcome)
    assert place.live["generation"] == 1
    assert len(place.records) == 1


def test_answers_of_glue_that_are_lost(place):
    for action in ("CreateDatabase", "CreateTable", "BatchDeleteTable"):
        place.aws.faults.lose_answer("glue", action, times=2)
    outcome = place.orchestrate()
    place.aws.faults.clear()
    place.require_published(outcome)
    assert set(place.tables()) >= DATASETS


def test_copies_whose_answers_are_lost_are_made_again(place):
    place.engine = "duckdb"
    place.aws.faults.lose_answer("s3", "CopyObject", times=2)
    place.require_published(place.orchestrate())


def test_parts_whose_answers_are_lost(place, monkeypatch):
    place.engine = "duckdb"
    monkeypatch.setattr("healthpipe.storage.s3.transfer.ONE_REQUEST_BYTES", 0)
    for action in ("UploadPartCopy", "CompleteMultipartUpload"):
        place.aws.faults.lose_answer("s3", action, times=1)
    outcome = place.orchestrate()
    place.aws.faults.clear()
    place.require_published(outcome)
    uploads = place.s3.list_multipart_uploads(Bucket="hpipe").get("Uploads", [])
    assert uploads == []


def test_who_publishes_first_stays_live(place, step_spy):
    place.engine = "duckdb"
    theirs = {"schema_version": 1, "generation": 1, "nonce": "theirs", "run_id": "theirs",
              "published_at": "2026-02-15T00:00:00+00:00", "as_of": "2026-02-15", "options": {},
              "files": []}  # fmt: skip
    pointer = json.dumps(theirs).encode()
    step_spy.before["Publish"] = lambda: place.put("production/current.json", pointer)
    outcome = place.orchestrate()

    assert outcome.code == 6, outcome.err
    assert "somebody else published" in outcome.err.splitlines()[-1]
    assert place.get("production/current.json") == pointer
    assert place.keys("production/") == ["production/current.json"]
    assert place.records[-1]["error"]["code"] == "publish_conflict"
    require_clean(place)


def test_a_pointer_that_changes_in_the_last_instant_stays_theirs(place):
    place.engine = "duckdb"
    place.aws.faults.refuse_put("*/current.json", times=1)
    outcome = place.orchestrate()
    assert outcome.code == 6, outcome.err
    assert not place.live
    require_clean(place)


def test_a_write_that_conflicts_with_another_is_made_again(place):
    place.engine = "duckdb"
    place.aws.faults.refuse_put("*/current.json", times=2, status=409)
    place.require_published(place.orchestrate())


def lagging(place):
    return place.run("status", "--json").document["lagging_tables"]


def shown_run(place, name):
    table = place.glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]
    return table["Parameters"]["healthpipe.run_id"]


def test_tables_that_cannot_follow_are_mended_by_the_next_run(place):
    first = place.require_published(place.orchestrate())
    assert lagging(place) == []

    place.aws.faults.deny("glue", "GetTable")
    told = place.run("status", "--json")
    place.aws.faults.clear()
    assert (told.code, told.document["live"]["run_id"]) == (0, first["run_id"])
    assert "could not check whether the tables in Glue lag" in told.err

    place.aws.faults.deny("glue", "UpdateTable")
    outcome = place.orchestrate(as_of=NEXT_DAY)
    place.aws.faults.clear()
    second = place.require_published(outcome)
    assert "the tables in Glue lag behind what is published" in outcome.err
    assert "glue:UpdateTable" in outcome.err
    assert set(lagging(place)) == DATASETS
    assert {shown_run(place, name) for name in DATASETS} == {first["run_id"]}

    assert place.orchestrate(as_of=NEXT_DAY).code == 0
    assert place.live["run_id"] == second["run_id"], "there was nothing else to do"
    assert lagging(place) == []
    assert {shown_run(place, name) for name in DATASETS} == {second["run_id"]}


def test_after_a_rollback_tables_follow_with_the_next_run(place):
    first = place.require_published(place.orchestrate())
    place.require_published(place.orchestrate(as_of=NEXT_DAY))
    assert place.run("runs", "rollback").code == 0
    assert place.live["run_id"] == first["run_id"]
    behind = lagging(place)

    place.put(RAW, SOON + LATE + LATE.replace(b"f-late", b"f-more"))
    outcome = place.orchestrate(as_of="2026-02-17")
    third = place.require_published(outcome)
    assert set(behind) in (set(), DATASETS)
    assert lagging(place) == []
    assert {shown_run(place, name) for name in DATASETS} == {third["run_id"]}


def test_a_table_of_somebody_else_is_left_alone(place):
    place.glue.create_database(DatabaseInput={"Name": DATABASE})
    place.glue.create_table(
        DatabaseName=DATABASE, TableInput={"Name": "extract", "Parameters": {"owner": "them"}}
    )
    outcome = place.orchestrate()
    place.require_published(outcome)
    assert "the table healthpipe.extract is not of this root" in outcome.err
    table = place.glue.get_table(DatabaseName=DATABASE, Name="extract")["Table"]
    assert table["Parameters"] == {"owner": "them"}
    assert "extract" in lagging(place)
