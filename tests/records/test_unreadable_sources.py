"""Nothing is left out silently: folders that cannot be listed and files that cannot be read."""

import errno
import json
import os
import socket

import pytest

from healthpipe.aws.session import AwsAccess
from healthpipe.errors import ServiceFailed, SourceNotFound
from tests.support.ordinary_user import ordinary_user
from tests.support.records import LATER, facility
from tests.support.source_files import (
    find_sources,
    ingest,
    ingest_sources,
    skipped_uris,
    write_files,
)

DAY = "data/raw/2026-02-02"


@pytest.fixture
def user(loaded_launcher):
    with ordinary_user(loaded_launcher) as someone:
        someone.write("data/raw/2026-02-01/a.jsonl", facility("F1", LATER))
        someone.write(f"{DAY}/b.jsonl", facility("F2", LATER))
        yield someone


@pytest.mark.parametrize("mode", [0o000, 0o600])
@pytest.mark.parametrize("command", ["orchestrate", "extract"])
def test_a_folder_that_may_not_be_listed_or_searched_ends_the_run(user, command, mode):
    (user.home / DAY).chmod(mode)

    outcome = user.run(command, "--as-of", "2026-02-15", "--json")

    assert outcome.code == 2
    assert outcome.document["error"]["code"] == "source_denied"
    last = outcome.err.splitlines()[-1]
    assert f"{DAY} cannot be listed: Permission denied" in last
    assert not (user.home / "data/production/current.json").exists()


@pytest.mark.parametrize(
    "source",
    ["data/raw/*", "data/raw/*/*.jsonl", "data/*/**/b.jsonl", "data/raw/**", f"{DAY}/b.jsonl"],
)
def test_neither_is_it_left_out_of_a_glob_or_a_name(user, source):
    (user.home / DAY).chmod(0o000)

    outcome = user.run("extract", source, "--as-of", "2026-02-15")

    assert (outcome.code, outcome.out) == (2, "")
    assert DAY in outcome.err
    assert "Permission denied" in outcome.err


def test_a_hidden_or_own_folder_need_not_be_listed(user):
    for name in ("data/raw/.git", "data/raw/_tmp", "data/state"):
        (user.home / name).mkdir(exist_ok=True)
        user.own()
        (user.home / name).chmod(0o000 if "raw" in name else 0o755)

    assert user.run("extract", "data", "--as-of", "2026-02-15", "-o", "x.csv").code == 0


def test_doctor_names_the_folder_and_the_file(user):
    (user.home / DAY / "b.jsonl").chmod(0o000)
    warned = user.run("doctor", "--json")
    (user.home / DAY).chmod(0o000)
    failed = user.run("doctor", "--json")

    check = next(each for each in warned.document["checks"] if each["what"] == "input")
    assert (warned.code, check["verdict"]) == (0, "warning")
    assert check["told"] == f"{DAY}/b.jsonl cannot be read"
    assert failed.code == 2
    assert f"{DAY} cannot be listed" in failed.document["error"]["message"]


@pytest.mark.parametrize("source", ["in", "in/*", "in/**/a.json"])
def test_an_error_of_the_disk_is_not_a_usage_error(source, tmp_path, monkeypatch):
    write_files(tmp_path / "in", "a.json", "x/a.json")
    scandir = os.scandir

    def failing(path):
        if str(path).endswith("/x"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)

    with pytest.raises(ServiceFailed) as failure:
        find_sources(tmp_path, tmp_path / source)

    assert failure.value.exit_code == 4
    assert f"{tmp_path}/in/x cannot be listed: Input/output error" in str(failure.value)


@pytest.fixture
def odd_files(tmp_path, monkeypatch):
    """A folder with a file, a named pipe and a socket; the working folder, for a short path."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path / "in", "a.json")
    os.mkfifo("in/p.json")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("in/s.json")
        yield


@pytest.mark.usefixtures("odd_files")
@pytest.mark.parametrize("source", ["in", "in/*", "in/*.json", "i*", "**"])
def test_pipes_and_sockets_in_a_folder_or_a_glob_are_listed_as_skipped(source, tmp_path):
    found = find_sources(tmp_path, source)

    assert [file.uri for file in found.files] == ["in/a.json"]
    assert sorted(map(str, found.skipped)) == [
        "in/p.json: a pipe, socket or device",
        "in/s.json: a pipe, socket or device",
    ]


@pytest.mark.usefixtures("odd_files")
def test_a_link_to_a_pipe_is_skipped_as_the_pipe_is(tmp_path):
    (tmp_path / "in/link.json").symlink_to("p.json")

    assert "in/link.json" in skipped_uris(find_sources(tmp_path, "in"))


@pytest.mark.usefixtures("odd_files")
def test_a_pipe_that_is_named_outright_is_a_stream(tmp_path):
    (found,) = find_sources(tmp_path, "in/p.json").files

    assert found.is_stream


@pytest.mark.usefixtures("odd_files")
def test_a_run_does_not_wait_for_a_pipe_in_its_folder(cli):
    outcome = cli("extract", "in", "--as-of", "2026-02-15", "--json")

    assert (outcome.code, outcome.document["input"]["files"]) == (0, 1)
    assert outcome.document["input"]["skipped"] == 2


@pytest.mark.parametrize("name", ["gone.jsonl", "2026-02-03", "GONE.JSON.GZ"])
@pytest.mark.parametrize("source", ["data/raw", "data/raw/*"])
def test_a_broken_link_is_one_rejected_file_and_stops_a_run(user, name, source):
    (user.home / "data/raw" / name).symlink_to("nowhere")

    stopped = user.orchestrate(source)
    allowed = user.orchestrate(source, "--max-rejected-files", "1", "--max-rejects", "1")

    assert stopped.code == 3
    assert "files rejected whole 1 of 3" in stopped.err
    assert stopped.document["error"]["code"] == "gate_failed"
    assert allowed.code == 0
    assert allowed.document["records"] | {"superseded": 0} == {
        "lines": 3, "accepted": 2, "rejected": 1, "superseded": 0, "resolved": 0,
    }  # fmt: skip


def test_a_link_that_leads_to_itself_is_broken(tmp_path):
    write_files(tmp_path / "in", "a.json")
    (tmp_path / "in/loop.json").symlink_to("loop.json")

    manifest = ingest_sources(tmp_path, tmp_path / "in")

    assert [file.is_unreadable for file in manifest.files] == [False, True]


def test_a_broken_link_to_what_is_no_input_is_skipped_and_one_named_outright_is_not_there(tmp_path):
    write_files(tmp_path / "in", "a.json")
    for name in ("notes.csv", ".a.json"):
        (tmp_path / "in" / name).symlink_to("nowhere")

    assert skipped_uris(find_sources(tmp_path, tmp_path / "in")) == [f"{tmp_path}/in/notes.csv"]
    with pytest.raises(SourceNotFound):
        find_sources(tmp_path, tmp_path / "in/notes.csv")


def test_a_file_that_vanishes_after_it_was_found_has_changed(tmp_path):
    write_files(tmp_path / "in", "a.json")
    found = find_sources(tmp_path, tmp_path / "in")
    (tmp_path / "in/a.json").unlink()

    manifest = ingest(tmp_path, found)

    assert manifest.changed_files(AwsAccess()) == [f"{tmp_path}/in/a.json"]


def test_a_link_that_is_mended_meanwhile_has_changed(tmp_path):
    write_files(tmp_path / "in", "a.json")
    (tmp_path / "in/link.json").symlink_to("b.json")
    manifest = ingest_sources(tmp_path, tmp_path / "in")
    before = manifest.changed_files(AwsAccess())
    write_files(tmp_path / "in", "b.json")

    assert (before, manifest.changed_files(AwsAccess())) == ([], [f"{tmp_path}/in/link.json"])


@pytest.fixture
def locked(user):
    """A file that its owner may not read: one of two in the input."""
    path = user.home / DAY / "b.jsonl"
    path.chmod(0o000)
    return path


ACCEPTED = ("--max-rejected-files", "1", "--max-rejects", "1")


@pytest.mark.parametrize("again", [["orchestrate", "--as-of", "2026-02-15"], ["runs", "retry"]])
def test_a_file_that_was_made_readable_is_read_without_a_touch(user, locked, again):
    stopped = user.orchestrate()
    locked.chmod(0o644)

    outcome = user.run(*again, "--json")

    assert stopped.code == 3
    assert outcome.code == 0, outcome.err
    assert (outcome.document["records"]["accepted"], outcome.document["records"]["rejected"]) == (
        2,
        0,
    )
    assert outcome.document["production"]["files"][0]["rows"] == 2


def test_a_file_that_was_made_readable_is_read_even_after_it_was_accepted_as_missing(user, locked):
    assert user.orchestrate(*ACCEPTED).document["records"]["rejected"] == 1
    locked.chmod(0o644)

    assert user.orchestrate(*ACCEPTED).document["records"]["accepted"] == 2


@pytest.mark.parametrize("broken_link", [False, True])
def test_a_run_with_an_unreadable_file_is_never_nothing_to_do(user, locked, broken_link):
    if broken_link:
        locked.unlink()
        locked.symlink_to("nowhere")

    runs = [user.orchestrate(*ACCEPTED).document for _ in range(2)]

    assert [run["status"] for run in runs] == ["succeeded", "succeeded"]
    assert [run["records"]["rejected"] for run in runs] == [1, 1]


def test_a_retry_that_still_cannot_read_the_file_fails_again(user, locked):
    assert [user.orchestrate().code, user.run("runs", "retry").code] == [3, 3]


def test_the_files_beside_an_unreadable_one_are_judged_once(user, locked):
    user.orchestrate(*ACCEPTED)
    (first,) = user.home.glob("data/curated/*/segment.json")
    user.orchestrate(*ACCEPTED)

    held = [json.loads(path.read_text()) for path in user.home.glob("data/curated/*/segment.json")]
    assert [len(segment["files"]) for segment in held] == [1]
    assert "b.jsonl" not in first.read_text()


def test_a_file_that_became_unreadable_is_not_answered_from_what_was_read_before(user):
    before = user.orchestrate()
    (user.home / DAY / "b.jsonl").chmod(0o000)

    after = user.run("orchestrate", "--as-of", "2026-02-16", "--quiet")

    assert (before.code, after.code) == (0, 3)
