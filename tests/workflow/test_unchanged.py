"""A run that would change nothing is not run; anything else is a new run."""

import pytest

from healthpipe.errors import ServiceFailed
from healthpipe.runs import request
from healthpipe.storage.layout import Root
from tests.conftest import AS_OF
from tests.support.published_runs import live

FULL = ServiceFailed("the disk is full", "free space")
NEXT_DAY = "2026-02-16"


def test_all_equal_to_the_live_run_is_nothing_to_do(orchestrate, step_spy, tmp_path):
    first = orchestrate("--json").document
    step_spy.names.clear()
    before = live(tmp_path)

    outcome = orchestrate("--json")

    assert (outcome.code, outcome.document["status"]) == (0, "unchanged")
    assert "nothing to do" in outcome.err
    assert step_spy.names == ["Ingest", "AlertExpiring", "NotifySuccess", "Finish"]
    assert live(tmp_path) == before == outcome.document["production"]
    assert outcome.document["records"] == first["records"]
    assert orchestrate().out == "".join(f"data/{file['path']}\n" for file in before["files"])
    assert orchestrate("--quiet").err == ""


@pytest.mark.parametrize(
    "change",
    ["a new day", "another option", "a new file", "a changed file", "force", "sql", "a rollback"],
)
def test_anything_else_is_a_new_run(cli, orchestrate, examples, monkeypatch, tmp_path, change):
    orchestrate(as_of="2026-02-14")
    orchestrate()
    arguments, as_of = [], AS_OF
    match change:
        case "a new day":
            as_of = NEXT_DAY
        case "another option":
            arguments = ["--days", "30"]
        case "a new file":
            (examples / "more.jsonl").write_text('{"facility_id": "X"}\n')
        case "a changed file":
            with (examples / "2026-02-02" / "changes.jsonl").open("a") as file:
                file.write('{"facility_id": "X"}\n')
        case "force":
            arguments = ["--force"]
        case "sql":
            changed = {**request.code_fingerprint(), "sql": "another"}
            monkeypatch.setattr(request, "code_fingerprint", lambda: changed)
        case "a rollback":
            assert cli("runs", "rollback").code == 0
    generation = live(tmp_path)["generation"]

    outcome = orchestrate(*arguments, "--json", as_of=as_of)

    assert outcome.document["status"] == "succeeded"
    assert live(tmp_path)["generation"] == generation + 1


def test_standard_input_is_never_the_same_twice(cli):
    for _ in range(2):
        outcome = cli("orchestrate", "-", "--json", stdin=b'{"facility_id": "X"}\n')
        assert outcome.document["status"] == "succeeded"


def test_what_keeps_too_many_published_runs_is_removed(orchestrate, tmp_path):
    for _ in range(4):
        assert orchestrate("--force", "--keep", "2").code == 0
    folders = [path for path in (tmp_path / "data" / "production").iterdir() if path.is_dir()]
    assert len(folders) == 2
    assert live(tmp_path)["run_id"] in {path.name for path in folders}


def test_the_lock_is_free_after_every_end(orchestrate, step_spy, tmp_path):
    from healthpipe.runs.locks import RootLock

    for failing in ([], ["Ingest"], ["Publish"], ["Cleanup"], ["Finish"], ["NotifyFailure"]):
        step_spy.failing.update(dict.fromkeys(failing, FULL))
        orchestrate("--force")
        step_spy.failing.clear()
        assert RootLock.of(Root("data")).holder() is None


def test_where_the_pointer_is_gone_nothing_is_published_over_it(orchestrate, tmp_path):
    assert orchestrate().code == 0
    (tmp_path / "data" / "production").rename(tmp_path / "unmounted")

    outcome = orchestrate()

    assert outcome.code == 3
    assert "is gone, though runs were published" in outcome.err
    assert live(tmp_path) is None
    assert orchestrate("--accept-drop").code == 0
    assert live(tmp_path)["generation"] == 2
