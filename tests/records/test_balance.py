"""Every line of every file is accounted for, once; a run that loses one fails."""

import json
from dataclasses import replace

import pytest

from healthpipe.engines.duckdb import DuckDBEngine
from healthpipe.errors import Imbalance
from healthpipe.ingest import lander, landing
from healthpipe.stages.curate import Balance, FileBalance

OLD = '{"facility_id": "1", "snapshot_date": "2025-01-01"}'
NEW = '{"facility_id": "1", "snapshot_date": "2025-02-01"}'


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_text(f'{OLD}\nnot json\n{{"facility_id": "2"}}\n')
    (folder / "b.json").write_text(f'[\n{NEW},\n5, {{"facility_id": "3"}}]')
    (folder / "c.json").write_text(f"[{NEW}")
    (folder / "d.json").write_text("\n")
    return folder


def by_file(path) -> dict[str, tuple[int, ...]]:
    document = json.loads(path.read_text())
    names = ("lines", "accepted", "rejected", "current", "superseded")
    return {file["source"]: tuple(file[name] for name in names) for file in document["files"]}


ALLOWED = ("--max-rejects", "3", "--max-rejected-files", "1")
EXPECTED = {"a.jsonl": (3, 2, 1, 1, 1), "b.json": (3, 2, 1, 2, 0), "c.json": (1, 0, 1, 0, 0)}


def test_a_run_keeps_what_became_of_the_lines_of_each_file(cli, folder, tmp_path):
    run = cli("extract", folder, "--json").document["run_id"]

    path = tmp_path / "data" / "runs" / run / "balance.json"
    assert by_file(path) == EXPECTED
    assert json.loads(path.read_text())["all"] == {
        "lines": 7, "accepted": 4, "rejected": 3, "current": 3, "superseded": 1,
        "resolved": 0,
    }  # fmt: skip


def test_the_workflow_keeps_it_too(cli, folder, tmp_path):
    run = cli("orchestrate", folder, *ALLOWED, "--max-issues", "100%", "--json").document["run_id"]

    assert by_file(tmp_path / "data" / "runs" / run / "balance.json") == EXPECTED


@pytest.mark.parametrize("command", ["extract", "orchestrate"])
def test_a_record_lost_between_ingest_and_engine_fails_the_run(
    cli, folder, tmp_path, monkeypatch, command
):
    real = landing.land_container

    def lose_one(uri, target):
        found = real(uri, target)
        if found and found[1] == 3:
            target.write_bytes(b"".join(target.read_bytes().splitlines(keepends=True)[1:]))
        return found

    monkeypatch.setattr(lander, "land_container", lose_one)

    outcome = cli(command, folder)

    assert outcome.code == 1
    assert "b.json: 3 records in, 2 judged" in outcome.err
    (record,) = (tmp_path / "data" / "runs").glob("*/run.json")
    assert json.loads(record.read_text())["error"]["code"] == "imbalance"
    assert not (tmp_path / "data" / "production").exists()


def test_a_record_that_the_engine_loses_fails_the_run(cli, folder, monkeypatch):
    real = DuckDBEngine.rows

    def forget_a_file(engine, relation):
        rows = real(engine, relation)
        return rows[1:] if relation.name == "balance_by_file" else rows

    monkeypatch.setattr(DuckDBEngine, "rows", forget_a_file)

    outcome = cli("state-counts", folder)

    assert outcome.code == 1
    assert "lines: 7 in all, 4 by file" in outcome.err


EVEN = Balance(lines=4, accepted=3, rejected=1, current=2, superseded=1)
FILES = [FileBalance("a", 1, 1, 0, 1), FileBalance("b", 3, 2, 1, 1)]


def test_an_even_balance_is_accepted():
    EVEN.require_even()
    EVEN.require_sum(FILES, {"a": 1, "empty": 0})


@pytest.mark.parametrize("name", ["lines", "accepted", "rejected", "current", "superseded"])
def test_one_more_or_less_anywhere_is_not(name):
    for step in (-1, 1):
        with pytest.raises(Imbalance):
            replace(EVEN, **{name: getattr(EVEN, name) + step}).require_even()


@pytest.mark.parametrize(
    ("files", "landed"),
    [
        (FILES[:1], {}),
        ([*FILES, FileBalance("c", 0, 0, 0, 0), FileBalance("d", 1, 1, 0, 1)], {}),
        ([FileBalance("a", 1, 0, 0, 1), FILES[1]], {}),
        ([FileBalance("a", 1, 1, 0, 2), FileBalance("b", 3, 2, 1, 0)], {}),
        (FILES, {"b": 2}),
        (FILES, {"gone": 1}),
    ],
)
def test_files_that_do_not_come_to_the_sums_are_refused(files, landed):
    with pytest.raises(Imbalance):
        EVEN.require_sum(files, landed)
