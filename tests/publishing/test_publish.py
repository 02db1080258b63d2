"""Production is the old run or the new one, whole, whatever happens meanwhile."""

import json
from pathlib import Path

import pytest

from healthpipe.errors import PublishConflict, ServiceFailed, exit_code_of
from healthpipe.publishing.pointer import history, read_live
from healthpipe.publishing.publish import publish
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import open_root
from healthpipe.storage.local import LocalStorage
from tests.support.published_runs import (
    NAMES,
    below,
    finished,
    publish_run,
    require_whole,
    run_id,
    write,
)

A, B, C = (run_id("2026-02-15", number) for number in (1, 2, 3))


@pytest.fixture
def root(tmp_path):
    return open_root(str(tmp_path / "data"))


@pytest.fixture
def copies(monkeypatch):
    """The names of the files that are copied from now on."""
    made, real = [], LocalStorage.copy

    def copy(self, source, target):
        made.append(Path(target).name)
        return real(self, source, target)

    monkeypatch.setattr(LocalStorage, "copy", copy)
    return made


class TimeIsUp(Exception):
    """What `pause` raises here."""


def after(calls):
    """A pause that lets so many calls pass."""
    left = iter(range(calls))

    def pause():
        if next(left, None) is None:
            raise TimeIsUp

    return pause


def test_the_pointer_tells_the_run_and_its_files(root):
    document = publish_run(root, A)

    assert json.loads(Path(root.pointer).read_text()) == document
    assert list(document) == [
        "schema_version", "generation", "nonce", "run_id", "published_at", "as_of", "options",
        "files",
    ]  # fmt: skip
    assert (document["generation"], document["nonce"]) == (1, f"nonce of {A}")
    assert (document["as_of"], document["options"]) == ("2026-02-15", {"of": A})
    assert [file["path"] for file in document["files"]] == [f"production/{A}/{n}" for n in NAMES]
    assert {tuple(file) for file in document["files"]} == {
        ("path", "stage", "format", "rows", "bytes", "sha256")
    }
    require_whole(root)


def test_the_checksum_of_what_is_copied_in_parts_is_noted_beside_the_sha256(root, monkeypatch):
    real = LocalStorage.copy

    def copy_in_parts(self, source, target):
        real(self, source, target)
        return "composite:AAAA-2"

    monkeypatch.setattr(LocalStorage, "copy", copy_in_parts)
    document = publish_run(root, A)
    assert {file["checksum"] for file in document["files"]} == {"composite:AAAA-2"}
    require_whole(root)


@pytest.mark.parametrize("calls", range(len(NAMES) + 1))
def test_stopped_at_any_file_production_stays_and_the_next_attempt_goes_on(root, copies, calls):
    publish_run(root, A)
    before, run = read_live(root), finished(root, B)
    copies.clear()

    with pytest.raises(TimeIsUp):
        publish(root, run, before, "n", pause=after(calls))
    assert read_live(root) == before
    assert copies == list(NAMES)[:calls]

    document = publish(root, run, before, "n").document
    assert copies == list(NAMES), "what was there was not copied again"
    assert (document["run_id"], document["generation"]) == (B, 2)
    require_whole(root)


@pytest.mark.parametrize("content", ["", "other bytes", f"extract of {A}"])
def test_a_file_that_is_there_with_other_bytes_is_copied_again(root, content):
    write(f"{root.published(B)}/extract.parquet", content)

    publish_run(root, B)

    require_whole(root)


def test_an_output_that_changed_since_it_was_written_is_not_published(root):
    publish_run(root, A)
    run = finished(root, B)
    write(run.outputs[1].uri, "something else")

    with pytest.raises(ServiceFailed, match="not what the run wrote"):
        publish(root, run, read_live(root), "n")
    assert read_live(root).run_id == A


def test_published_before_the_attempt_that_did_it_could_say_so(root, copies):
    run, before = finished(root, A), read_live(root)
    first = publish(root, run, before, "n")
    copies.clear()

    assert publish(root, run, before, "n") == first
    assert copies == []


def test_when_the_answer_of_the_flip_is_lost_the_pointer_tells(root, monkeypatch):
    publish_run(root, A)
    real = LocalStorage.put_if

    def lose_answer(self, uri, content, etag):
        real(self, uri, content, etag)
        raise PreconditionFailed(uri)

    monkeypatch.setattr(LocalStorage, "put_if", lose_answer)
    document = publish_run(root, B)

    assert (document["run_id"], document["generation"]) == (B, 2)
    assert below(root.production) == [A, B, "current.json"]
    require_whole(root)


def test_when_somebody_else_published_first_theirs_stays_and_our_copies_go(root):
    publish_run(root, A)
    before = read_live(root)
    theirs = publish_run(root, B)

    with pytest.raises(PublishConflict) as failure:
        publish(root, finished(root, C), before, "n")

    assert exit_code_of(failure.value) == 6
    assert read_live(root).document == theirs
    assert below(root.production) == [A, B, "current.json"]


def test_when_somebody_else_publishes_while_files_are_copied_it_is_the_same(root):
    before, theirs = read_live(root), []

    def meanwhile():
        if not theirs:
            theirs.append(publish_run(root, B))

    with pytest.raises(PublishConflict):
        publish(root, finished(root, C), before, "n", pause=meanwhile)

    assert read_live(root).document == theirs[0]
    assert below(root.production) == [B, "current.json"]
    require_whole(root)


def test_a_run_that_was_live_and_replaced_before_it_knew_has_published(root):
    run, before = finished(root, A), read_live(root)
    ours = publish(root, run, before, "n")
    publish_run(root, B)

    assert publish(root, run, before, "n") == ours
    assert read_live(root).run_id == B
    assert below(root.production) == [A, B, "current.json"]


def test_a_conflict_removes_no_copies_that_were_live_before(root):
    publish_run(root, A)
    before = read_live(root)
    publish_run(root, B)

    with pytest.raises(PublishConflict):
        publish(root, finished(root, A), before, "another attempt")

    assert below(root.published(A)) == sorted(NAMES)


def test_a_damaged_pointer_is_said_with_what_to_do(root):
    publish_run(root, A)
    write(root.pointer, "{")

    with pytest.raises(ServiceFailed, match=r"current\.json is damaged: put the newest"):
        publish_run(root, B)


def test_the_history_has_a_copy_of_each_pointer_newest_first(root):
    documents = [publish_run(root, run) for run in (A, B, C)]

    assert [published.document for published in history(root)] == documents[::-1]
    assert below(root.history) == ["0000000001.json", "0000000002.json", "0000000003.json"]


def test_without_anything_published_there_is_no_history(root):
    assert history(root) == []
    assert not Path(root.uri).exists()


def kill_before_record(monkeypatch):
    """The next flip is killed before it is recorded."""

    class Killed(BaseException):
        pass

    def kill(self, uri, content):
        if "/history/" in uri:
            raise Killed
        return real(self, uri, content)

    real = LocalStorage.write
    monkeypatch.setattr(LocalStorage, "write", kill)
    return Killed


@pytest.mark.parametrize("reader", ["history", "publish"])
def test_a_copy_that_a_kill_prevented_is_made_by_whoever_comes_next(root, monkeypatch, reader):
    first = publish_run(root, A)
    with monkeypatch.context() as patch, pytest.raises(kill_before_record(patch)):
        publish_run(root, B)
    assert below(root.history) == ["0000000001.json"]

    if reader == "publish":
        publish_run(root, C)
    assert [published.run_id for published in history(root)][-2:] == [B, A]
    assert history(root)[-1].document == first
    assert "0000000002.json" in below(root.history)


def test_a_flip_succeeds_even_if_its_copy_cannot_be_written(root, monkeypatch):
    def fail(self, uri, content):
        if "/history/" in uri:
            raise ServiceFailed("the disk is full")
        return real(self, uri, content)

    real = LocalStorage.write
    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", fail)
        document = publish_run(root, A)
        assert [published.document for published in history(root)] == [document], (
            "and can be read where nothing can be written"
        )

    assert [published.document for published in history(root)] == [document]
    assert below(root.history) == ["0000000001.json"]


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"generation": 1}', "\x00"])
def test_a_damaged_copy_is_passed_over_and_the_live_one_mended(root, damage):
    for run in (A, B, C):
        publish_run(root, run)
    for generation in (1, 3):
        write(f"{root.history}/{generation:010}.json", damage)

    assert [published.run_id for published in history(root)] == [C, B]
    assert json.loads(Path(root.history, "0000000003.json").read_text())["run_id"] == C


def test_the_generation_grows_even_when_the_pointer_was_lost(root):
    for run in (A, B):
        publish_run(root, run)
    Path(root.pointer).unlink()

    assert publish_run(root, C)["generation"] == 3
    assert [published.run_id for published in history(root)] == [C, B, A]
