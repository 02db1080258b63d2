"""A run that was published before is made live again, or nothing changes."""

import json
from pathlib import Path

import pytest

from healthpipe.errors import (
    NothingPublished,
    PublishConflict,
    RollbackRefused,
    UsageError,
    exit_code_of,
)
from healthpipe.publishing.pointer import history, read_live
from healthpipe.publishing.publish import rollback
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import open_root
from healthpipe.storage.local import LocalStorage
from tests.support.published_runs import publish_run, require_whole, run_id, write

A, B, C = (run_id("2026-02-15", number) for number in (1, 2, 3))


@pytest.fixture
def root(tmp_path):
    root = open_root(str(tmp_path / "data"))
    for run in (A, B, C):
        publish_run(root, run)
    return root


def test_a_named_run_is_live_again_as_it_was_but_as_a_new_generation(root):
    then = history(root)[-1].document

    document = rollback(root, A, "n").document

    assert json.loads(Path(root.pointer).read_text()) == document
    assert (document["generation"], document["nonce"]) == (4, "n")
    for same in ("schema_version", "run_id", "as_of", "options", "files"):
        assert document[same] == then[same]
    assert list(document) == list(then)
    assert document["published_at"] >= then["published_at"]
    require_whole(root)


def test_by_default_it_is_the_run_that_was_live_before(root):
    assert rollback(root, None, "1").run_id == B


def test_twice_in_a_row_leads_back_to_where_it_began(root):
    assert [rollback(root, None, str(n)).run_id for n in range(4)] == [B, C, B, C]
    assert [published.run_id for published in history(root)] == [C, B, C, B, C, B, A]
    assert [published.generation for published in history(root)] == [7, 6, 5, 4, 3, 2, 1]


def test_after_a_rollback_the_next_run_is_published_as_ever(root):
    rollback(root, A, "n")

    assert publish_run(root, run_id("2026-02-16"))["generation"] == 5
    assert rollback(root, None, "m").run_id == A


@pytest.mark.parametrize(
    ("run", "why"),
    [(C, "live already"), (run_id("2020-01-01"), "never published"), ("../x", "never")],
)
def test_other_runs_are_refused_with_exit_2(root, run, why):
    before = read_live(root)

    with pytest.raises(RollbackRefused, match=why) as refused:
        rollback(root, run, "n")

    assert isinstance(refused.value, UsageError)
    assert exit_code_of(refused.value) == 2
    assert refused.value.hint
    assert read_live(root) == before


def test_with_a_single_run_there_is_nothing_to_go_back_to(tmp_path):
    root = open_root(str(tmp_path))
    with pytest.raises(NothingPublished):
        rollback(root, None, "n")
    publish_run(root, A)

    with pytest.raises(RollbackRefused, match="no other run"):
        rollback(root, None, "n")


@pytest.mark.parametrize("content", [None, "", "extract of ", f"extract of {A[::-1]}"])
def test_files_that_are_gone_or_others_than_published_are_not_made_live(root, content):
    file = Path(root.published(A), "extract.parquet")
    if content is None:
        file.unlink()
    else:
        write(file, content)
    before = read_live(root)

    with pytest.raises(RollbackRefused, match=f"production/{A}/extract.parquet"):
        rollback(root, A, "n")

    assert read_live(root) == before


def test_somebody_who_publishes_meanwhile_wins(root, monkeypatch):
    real = LocalStorage.sha256

    def publish_meanwhile(self, uri):
        monkeypatch.setattr(LocalStorage, "sha256", real)
        publish_run(root, run_id("2026-02-16"))
        return real(self, uri)

    monkeypatch.setattr(LocalStorage, "sha256", publish_meanwhile)
    with pytest.raises(PublishConflict) as failure:
        rollback(root, A, "n")

    assert exit_code_of(failure.value) == 6
    assert read_live(root).run_id == run_id("2026-02-16")
    require_whole(root)
    assert rollback(root, A, "m").run_id == A, "nothing was removed"


def test_a_lost_answer_is_no_conflict_and_asked_again_it_is_done_once(root, monkeypatch):
    real = LocalStorage.put_if

    def lose_answer(self, uri, content, etag):
        real(self, uri, content, etag)
        raise PreconditionFailed(uri)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "put_if", lose_answer)
        document = rollback(root, None, "n").document

    assert document["run_id"] == B
    assert rollback(root, None, "n").document == document
    publish_run(root, run_id("2026-02-16"))
    assert rollback(root, None, "n").document == document
    assert read_live(root).run_id == run_id("2026-02-16")


def test_a_damaged_copy_of_the_pointer_is_passed_over(root):
    write(f"{root.history}/0000000002.json", "{")

    assert rollback(root, None, "n").run_id == A
    with pytest.raises(RollbackRefused, match="never published"):
        rollback(root, B, "m")
