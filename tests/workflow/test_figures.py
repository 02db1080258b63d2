"""A run is compared with the figures of the live one, as far as those are there."""

import json
from pathlib import Path

import duckdb
import pytest

from tests.conftest import AS_OF
from tests.publishing.test_examples import YESTERDAY, arrive, facility


@pytest.fixture
def live(cli) -> Path:
    """The folder of a live run of thirty facilities."""
    arrive(YESTERDAY, [facility(number) for number in range(30)])
    run = cli("orchestrate", "--as-of", YESTERDAY, "--json").document["run_id"]
    return Path("data", "runs", run)


def audited(cli, records, day=AS_OF) -> list[dict]:
    arrive(day, records)
    outcome = cli("orchestrate", "--as-of", day, "--json")
    assert outcome.code == 0, outcome.err
    return outcome.document["audit"]["findings"]


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("figures.json", None),
        ("figures.json", "{"),
        ("figures.json", '{"schema_version": 1, "feeds": 5}'),
        ("inputs.json", None),
        ("inputs.json", "{"),
        ("facilities.parquet", None),
    ],
)
def test_what_is_gone_or_damaged_is_not_judged_and_stops_no_morning(cli, live, name, damaged):
    if damaged is None:
        (live / name).unlink()
    else:
        (live / name).write_text(damaged)

    findings = audited(cli, [facility(number, state="CA") for number in range(30)])

    assert {each["level"] for each in findings} == {"ok"}


def test_facilities_that_an_older_version_wrote_are_not_compared_with(cli, live):
    document = json.loads((live / "figures.json").read_text())
    (live / "figures.json").write_text(json.dumps({**document, "schema_version": 1}))
    facilities, older = live / "facilities.parquet", live / "older.parquet"
    columns = "* exclude (number_of_services)"
    duckdb.sql(f"copy (select {columns} from '{facilities}') to '{older}' (format parquet)")
    older.rename(facilities)

    findings = audited(cli, [facility(number, state="CA") for number in range(30)])

    assert {each["level"] for each in findings} == {"ok"}


def test_a_newer_document_is_refused(cli, live):
    document = json.loads((live / "figures.json").read_text())
    (live / "figures.json").write_text(json.dumps({**document, "schema_version": 99}))

    outcome = cli("orchestrate", "--as-of", AS_OF)

    assert outcome.code == 2
    assert "written by a newer healthpipe" in outcome.err


def test_the_new_files_are_those_that_the_live_run_has_not_read(cli, live, tmp_path, monkeypatch):
    """Also where the run was started in another folder, and names its files otherwise."""
    arrive(AS_OF, [facility(number) for number in range(25)])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    run = cli("orchestrate", "--root", "../data", "--as-of", AS_OF, "--json").document["run_id"]

    figures = json.loads(Path("../data/runs", run, "figures.json").read_text())
    assert figures["live"] == live.name
    assert figures["arrived"]["facilities.jsonl"]["records"] == 25
    assert figures["changes"]["facilities.jsonl"]["kept"] == 30
