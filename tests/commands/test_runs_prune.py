"""`runs prune`: tells first what it would remove, and removes then."""

import datetime
import json
from pathlib import Path

from tests.conftest import AS_OF, tree
from tests.support.published_runs import run_id, write


def test_the_command_tells_first_and_removes_then(cli, examples):
    for _ in range(3):
        cli("orchestrate", "examples", "--as-of", AS_OF, "--force")
    before = tree(Path("data"))

    dry = cli("runs", "prune", "--keep", "1", "--dry-run")
    assert tree(Path("data")) == before
    document = cli("runs", "prune", "--keep", "1", "--dry-run", "--json").document
    wet = cli("runs", "prune", "--keep", "1")

    assert dry.out == wet.out
    rows = [line.split("\t") for line in wet.out.splitlines()]
    assert [row[0] for row in rows] == ["production"] * 2
    assert not any(Path(row[2]).exists() for row in rows)
    assert [list(map(str, removal.values())) for removal in document["removals"]] == [
        [row[0], row[2], row[1], row[3]] for row in rows
    ]
    assert document["bytes"] == sum(int(row[1]) for row in rows)
    assert (document["command"], document["dry_run"]) == ("runs prune", True)
    assert "2 folders and fragments would be removed" in dry.err
    assert "2 folders and fragments removed" in wet.err
    assert cli("current").code == 0
    assert cli("runs", "prune", "--keep", "1").out == ""


def test_the_days_of_the_window_are_not_those_of_runs(cli, monkeypatch):
    run = run_id("2000-01-01")
    Path("data", "runs", run).mkdir(parents=True)
    today = datetime.datetime.now(datetime.UTC).date()
    monkeypatch.setenv("HEALTHPIPE_DAYS", "0")
    write("healthpipe.toml", "days = 0\n[runs.prune]\ndays = 36500\n")

    assert cli("runs", "prune").out == ""
    write("healthpipe.toml", "days = 3660\n")
    assert run in cli("runs", "prune", "--dry-run").out
    monkeypatch.setenv("HEALTHPIPE_PRUNE_DAYS", str((today - datetime.date(2000, 1, 1)).days))
    assert cli("runs", "prune").out == ""
    assert run in cli("runs", "prune", "--days", "30").out
    assert json.loads(cli("runs", "prune", "--json").out)["removals"] == []
