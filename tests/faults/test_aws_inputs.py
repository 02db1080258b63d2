"""Input files on S3 that change, vanish or cannot be read while Athena's queries read them."""

import gzip

import pytest

from healthpipe.ingest.readers import S3Reader
from tests.support.aws_root import LATE, RAW, SOON, facility, require_failed

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.aws_root"]
NEWER = facility("f-new", "TX", "2026-04-01")
OTHER = "raw/2026-02-02/more.jsonl"
CUT, LENIENT = "raw/2026-02-03/cut.jsonl.gz", ("--max-rejected-files", "1", "--max-rejects", "100%")
READS_RAW = '"raw_'


def rows(record):
    return record["records"]["lines"]


def test_an_input_that_is_overwritten_is_read_again(place):
    place.aws.faults.while_query_runs(lambda: place.put(RAW, NEWER), READS_RAW)
    record = place.require_published(place.orchestrate(), NEWER)
    assert rows(record) == 1
    assert place.json(f"runs/{record['run_id']}/inputs.json")["files"][0]["size"] == len(NEWER)


def test_an_input_that_is_overwritten_twice_is_read_a_third_time(place):
    contents = iter([SOON + NEWER, NEWER])
    place.aws.faults.while_query_runs(lambda: place.put(RAW, next(contents)), READS_RAW, times=2)
    record = place.require_published(place.orchestrate(), NEWER)
    assert rows(record) == 1


def test_an_input_that_keeps_changing_fails_the_run(place, monkeypatch):
    monkeypatch.setattr("healthpipe.asl.errors.Retries.delay", lambda *_: None)
    sizes = iter(range(1, 100))
    place.aws.faults.while_query_runs(
        lambda: place.put(RAW, SOON * next(sizes)), READS_RAW, times=None
    )
    record = require_failed(place, place.orchestrate(), 4)
    assert "changed while they were read, three times over" in record["error"]["message"]
    assert next(sizes) == 4, "it was read three times"


def test_an_input_that_is_deleted_is_left_out(place):
    place.put(OTHER, NEWER)
    place.aws.faults.while_query_runs(lambda: place.delete(RAW), READS_RAW)
    record = place.require_published(place.orchestrate(), NEWER)
    assert rows(record) == 1
    assert [file["source"] for file in inputs(place, record)] == ["2026-02-02/more.jsonl"]


def inputs(place, record):
    return place.json(f"runs/{record['run_id']}/inputs.json")["files"]


def test_an_input_that_changes_while_the_embedded_engine_reads_is_read_again(place, step_spy):
    place.engine = "duckdb"
    step_spy.before["Curate"] = lambda: place.put(RAW, NEWER)
    record = place.require_published(place.orchestrate(), NEWER)
    assert rows(record) == 1


def test_an_input_that_is_deleted_before_the_embedded_engine_reads_is_left_out(place, step_spy):
    place.engine = "duckdb"
    place.put(OTHER, NEWER)
    step_spy.before["Curate"] = lambda: place.delete(RAW)
    record = place.require_published(place.orchestrate(), NEWER)
    assert rows(record) == 1


@pytest.fixture
def trusting(monkeypatch):
    """Ingest takes every file for one that Athena can read."""
    monkeypatch.setattr(S3Reader, "is_in_place", lambda *_: True)


def test_files_that_athena_cannot_read_are_landed_and_read_once_more(place, trusting):
    place.put("raw/2026-02-03/plain.jsonl.gz", NEWER)
    place.put("raw/2026-02-03/also-plain.jsonl.gz", facility("f-also", "WA", "2029-01-01"))
    place.put("raw/2026-02-03/sound.jsonl.gz", gzip.compress(facility("f-z", "OR", "2028-01-01")))
    outcome = place.orchestrate()
    assert outcome.code == 0, outcome.err
    record = place.records[-1]
    place.require_published(outcome, place.published("expiring.ndjson"))
    assert sorted(place.published("expiring.ndjson").splitlines()) == sorted(
        line.strip() for line in (SOON, NEWER)
    )
    assert rows(record) == 5
    assert record["records"]["rejected"] == 0
    landed = {file["source"] for file in inputs(place, record) if file["landed"]}
    assert landed >= {"2026-02-03/plain.jsonl.gz", "2026-02-03/also-plain.jsonl.gz"}


def test_a_file_that_cannot_be_read_at_all_is_rejected(place, trusting, monkeypatch):
    monkeypatch.setattr("healthpipe.ingest.content.Content.require_whole", lambda _: None)
    monkeypatch.setattr("healthpipe.ingest.lander.is_container", lambda _: False)
    place.put(CUT, gzip.compress(LATE * 200)[:-20])
    outcome = place.orchestrate(*LENIENT)
    assert outcome.code == 0, outcome.err
    record = place.records[-1]
    assert (rows(record), record["records"]["rejected"]) == (3, 1)
    assert place.states()["FAILED"] == 1, "Athena was the first to find it"
    assert reasons(place) == ["file_truncated"]


def reasons(place):
    groups = place.run("quarantine", "list", "--json").document["groups"]
    return [group["reason"] for group in groups]


def test_a_gzip_that_is_cut_while_ingest_looks_at_it_is_rejected(place, monkeypatch):
    place.engine = "duckdb"
    monkeypatch.setattr("healthpipe.ingest.content.Content.require_whole", lambda _: None)
    place.put(CUT, gzip.compress(LATE * 200)[:-20])
    outcome = place.orchestrate(*LENIENT)
    assert outcome.code == 0, outcome.err
    assert reasons(place) == ["file_truncated"]
