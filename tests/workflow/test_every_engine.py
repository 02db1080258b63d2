"""The whole workflow on each engine: what it publishes, keeps and scans is what DuckDB makes."""

import json
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from healthpipe.errors import ServiceFailed
from tests.conftest import AS_OF
from tests.support.engine_rig import EngineRig
from tests.support.oracle_comparison import read_counts, read_parquet
from tests.support.seeded_records import many_records

ELSEWHERE = ("athena", "trino")
DIRTY_LINES = 51_000
OPEN_GATES = ("--max-rejects", "100%", "--max-rejected-files", "100%", "--max-issues", "100%")
FULL = ServiceFailed("the disk is full", "free space")


@pytest.fixture
def embedded(tmp_path):
    """DuckDB and a root on this machine."""
    return EngineRig("duckdb", tmp_path / "embedded")


def published(cli, rig, *arguments) -> dict:
    """The document of a run of the workflow on an engine, with that engine's own root."""
    where = ("--root", rig.root.uri, "--engine", rig.engine.value)
    outcome = cli("orchestrate", *arguments, *where, "--as-of", AS_OF, "--json")
    assert outcome.code == 0, outcome.err
    assert rig.pointer() == outcome.document["production"]
    return outcome.document


def results(rig, document) -> dict[str, list]:
    """Every row that a run published or keeps; in order where all engines have one."""
    files = rig.published(document["production"])
    kept = [rig.kept(document["run_id"], f"{name}.parquet") for name in ("rejects", "issues")]
    return {
        "extract": sorted(read_parquet(str(files["extract.parquet"]))),
        "expiring": sorted(files["expiring.ndjson"].read_bytes().splitlines()),
        "state-counts": read_counts(str(files["state-counts.csv"])),
        "state-counts.json": read_counts(str(files["state-counts.json"])),
        "rejects": sorted(map(repr, rejected(kept[0]))),
        "issues": sorted(map(repr, read_parquet(str(kept[1])))),
    }


def rejected(path: Path) -> list[tuple]:
    query = "select source, list_sort(reasons), line from read_parquet($1)"
    with duckdb.connect() as connection:
        return connection.execute(query, [str(path)]).fetchall()


@pytest.mark.sample
@pytest.mark.every_engine(*ELSEWHERE)
def test_the_workflow_publishes_what_it_does_on_duckdb(cli, rig, embedded, examples):
    found, expected = (results(each, published(cli, each, "examples")) for each in (rig, embedded))

    assert found == expected
    assert all(expected.values())


@pytest.mark.every_engine(*ELSEWHERE)
def test_fifty_thousand_dirty_records_give_the_same_rows_in_the_workflow(cli, rig, embedded):
    files = many_records(seed=3, lines=DIRTY_LINES // 3, odd=0.15, facilities=20_000)
    for each in (rig, embedded):
        for file in files:
            each.put(f"raw/{file.source}", file.content)

    documents = [published(cli, each, *OPEN_GATES) for each in (rig, embedded)]

    found, expected = map(results, (rig, embedded), documents)
    for name, rows in expected.items():
        assert found[name] == rows, name
        assert len(rows) > 50
    assert documents[0]["records"] == documents[1]["records"]
    assert documents[0]["issues"] == documents[1]["issues"]
    assert documents[0]["records"]["lines"] > 50_000
    assert not rig.names(f"{rig.root.run(documents[0]['run_id'])}/landed")


@pytest.mark.sample
@pytest.mark.every_engine("trino")
def test_raw_data_is_scanned_once_and_the_stages_scan_a_fifth_of_it_at_most(
    cli, rig, tmp_path, session_aws
):
    cli("generate-data", "--n", "60000", "--chunk", "10000", "--snapshot", AS_OF, "--outdir", "raw")
    for path in sorted((tmp_path / "raw").rglob("*.jsonl")):
        rig.put(f"raw/{AS_OF}/{path.name}", path.read_bytes())

    document = published(cli, rig)

    raw = document["input"]["bytes"]
    record = json.loads(rig.kept(document["run_id"], "run.json").read_bytes())
    scanned = Counter()
    for step in record["steps"]:
        scanned[step["name"]] += sum(query["bytes_scanned"] for query in step.get("queries", ()))
    assert raw > 20_000_000
    assert scanned["Curate"] >= raw
    statements = [query["Query"] for query in session_aws.queries()]
    assert sum("_raw_lines" in statement for statement in statements) == 1
    stages = sum(scanned[name] for name in ("Extract", "FilterExpiring", "StateCounts"))
    assert 0 < stages < 0.2 * raw


@pytest.mark.sample
@pytest.mark.every_engine
def test_what_a_run_turned_away_is_listed_and_shown(cli, rig, tmp_path):
    bad = {"in/a.jsonl": b'{"facility_id": "F1"}\nno record\n\n[1]\n', "in/b.jsonl": b"\xff\n"}
    for name, content in bad.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    cli("extract", "in", "--as-of", AS_OF)

    reasons = cli("quarantine", "list", "--json").document
    shown = cli("quarantine", "show", "--json").document

    assert {group["reason"]: group["lines"] for group in reasons["groups"]} == {
        "not_json": 1,
        "not_object": 1,
        "not_utf8": 1,
    }
    assert sorted((line["source"], line["number"]) for line in shown["lines"]) == [
        ("a.jsonl", 2),
        ("a.jsonl", 4),
        ("b.jsonl", 1),
    ]


@pytest.mark.every_engine
@pytest.mark.parametrize("failed", ["Curate", "StateCounts", "Publish"])
def test_a_retry_goes_on_after_what_was_done(cli, rig, orchestrate, step_spy, failed):
    step_spy.failing[failed] = FULL
    assert orchestrate().code == 4
    assert rig.pointer() is None
    step_spy.failing.clear()
    step_spy.names.clear()

    outcome = cli("runs", "retry", "--json")

    assert outcome.code == 0, outcome.err
    assert rig.pointer()["run_id"] == outcome.document["run_id"]
    assert "Ingest" not in step_spy.names
    assert ("Curate" in step_spy.names) is (failed == "Curate")
