"""--dry-run tells what a run would do, and touches nothing."""

import json

import pytest

from tests.conftest import AS_OF, tree
from tests.local_aws import local_aws
from tests.support.aws_root import shorten_pauses


@pytest.mark.parametrize("command", ["sql", "filter-expiring", "orchestrate"])
def test_a_rehearsal_touches_nothing_and_quotes_no_record(cli, examples, tmp_path, command):
    before = tree(tmp_path)
    arguments = ["sql", "extract"] if command == "sql" else [command, "--dry-run"]
    outcome = cli(*arguments, "examples", "--as-of", AS_OF)
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path) == before
    lines = [
        line for file in examples.rglob("*.jsonl") for line in file.read_text().splitlines() if line
    ]
    names = {json.loads(line)["facility_name"] for line in lines if line.startswith('{"facility')}
    assert names
    assert not [name for name in names if name in outcome.out]


def test_a_dry_run_tells_inputs_statements_and_destinations(cli, examples, tmp_path):
    (examples / "notes.md").write_text("not read")
    plan = cli("orchestrate", "--dry-run", "examples", "--json").document
    inputs = [*examples.rglob("*.jsonl"), *examples.rglob("*.ndjson")]
    assert sorted(plan["inputs"]) == sorted(
        path.relative_to(tmp_path).as_posix() for path in inputs
    )
    assert plan["skipped"] == ["examples/notes.md"]
    assert plan["status"] == "planned"
    published = cli("orchestrate", "examples", "--json").document
    real = [file["path"] for file in published["production"]["files"]]
    planned = [place.replace("RUN_ID", published["run_id"]) for place in plan["destinations"]]
    assert set(planned) >= {f"data/{path}" for path in real} | {"data/production/current.json"}
    assert all((tmp_path / place).exists() for place in planned)


def test_a_dry_run_with_a_named_output_names_it(cli, examples):
    plan = cli("extract", "examples", "--dry-run", "-o", "x.csv", "--json").document
    assert "x.csv" in plan["destinations"]
    assert any("format csv" in statement for statement in plan["statements"])


def test_a_rehearsal_of_sources_that_are_not_there_is_refused(cli):
    outcome = cli("extract", "nowhere", "--dry-run")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("stage", ["state-counts", "normalize"])
def test_the_queries_of_athena_are_those_that_a_run_asks(cli, examples, monkeypatch, stage):
    given = ("examples", "--as-of", AS_OF, "--engine", "athena", "--root", "s3://rehearsed/root")
    plan = cli(stage, *given, "--dry-run", "--json").document  # without an AWS to be asked
    with local_aws() as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        shorten_pauses(monkeypatch)
        aws.client("s3").create_bucket(Bucket="rehearsed")
        outcome = cli(stage, *given, "--json")
        assert outcome.code == 0, outcome.err
        asked = [query["Query"] for query in aws.queries()]

    run = outcome.document["run_id"]
    told = [
        text.replace("RUN_ID", run).replace("run_id", run.lower().replace("-", "_"))
        for text in plan["statements"]
    ]
    assert sorted(told) == sorted(asked)
    assert plan["tables"][0].startswith("healthpipe.raw_run_id_2_raw_lines (line string,")
