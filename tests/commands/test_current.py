"""`current`: paths, data and the pointer of what is live, once it is known to be sound."""

import json
from pathlib import Path

import pytest


def test_current_shows_paths_data_and_the_pointer(orchestrate, cli, pointer, tmp_path):
    published = orchestrate().out

    assert cli("current").out == published
    assert cli("current", "extract").out == published.splitlines()[0] + "\n"
    shown = cli("current", "filter-expiring", "-o", "-").out
    assert shown == Path(published.splitlines()[1]).read_text()
    assert cli("current", "--json").document == json.loads(pointer.read_text())
    cli("current", "state-counts", "-o", "copy.csv")
    assert (tmp_path / "copy.csv").read_text() == Path(published.splitlines()[2]).read_text()


def test_the_format_chooses_among_the_published_files(orchestrate, cli, tmp_path):
    published = orchestrate().out.splitlines()

    as_json = cli("current", "state-counts", "--format", "json", "-o", "-").out
    assert as_json == Path(published[3]).read_text()
    assert cli("current", "state-counts", "--format", "json").out == f"{published[3]}\n"
    assert cli("current", "--format", "csv").out == f"{published[2]}\n"
    assert cli("current", "state-counts", "-o", "counts.json", "--quiet").code == 0
    assert (tmp_path / "counts.json").read_text() == as_json


@pytest.mark.parametrize(
    "words", [("-o", "x.csv"), ("--format", "csv"), ("-o", "-", "--format", "csv")]
)
def test_a_format_that_is_not_published_is_refused_with_those_that_are(
    orchestrate, cli, tmp_path, monkeypatch, words
):
    orchestrate()
    monkeypatch.setenv("HEALTHPIPE_FORMAT", "csv")  # of stages by hand

    outcome = cli("current", "extract", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert "give --format one of parquet" in outcome.err
    assert not (tmp_path / "x.csv").exists()
    assert cli("current", "extract").code == 0


def overwritten(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"x" * path.stat().st_size)


DAMAGE = {"overwritten": overwritten, "deleted": Path.unlink}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize(
    "words", [(), ("state-counts",), ("state-counts", "-o", "-"), ("state-counts", "-o", "x.csv")]
)
def test_a_file_that_is_not_what_was_published_is_neither_named_nor_printed(
    orchestrate, cli, tmp_path, how, words
):
    DAMAGE[how](Path(orchestrate().out.splitlines()[2]))

    outcome = cli("current", *words)
    assert (outcome.code, outcome.out) == (4, "")
    (line,) = outcome.err.splitlines()
    assert "state-counts.csv is " in line
    assert (
        f"`healthpipe orchestrate --root {Path('data').resolve()} --force` publishes anew" in line
    )
    assert not (tmp_path / "x.csv").exists()


def test_as_json_the_damage_is_an_error_in_place_of_the_pointer(orchestrate, cli):
    overwritten(Path(orchestrate().out.splitlines()[2]))

    outcome = cli("current", "--json")
    assert outcome.code == 4
    assert outcome.document["status"] == "failed"
    assert outcome.document["error"]["code"] == "published_damaged"


def test_only_the_files_that_are_asked_for_are_looked_at(orchestrate, cli):
    published = orchestrate().out.splitlines()
    overwritten(Path(published[2]))

    assert cli("current", "extract").out == published[0] + "\n"


def test_what_the_hint_names_makes_a_sound_run_live_again(orchestrate, cli):
    orchestrate()
    overwritten(Path(orchestrate("--force").out.splitlines()[2]))

    outcome = cli("current")
    assert outcome.code == 4
    assert f"`healthpipe runs rollback --root {Path('data').resolve()}`" in outcome.err
    assert cli("runs", "rollback", "--root", "data").code == 0
    assert cli("current").code == 0


def test_where_there_is_nothing_to_go_back_to_the_hint_publishes_anew(orchestrate, cli):
    first = orchestrate().out.splitlines()[2]
    last = orchestrate("--force").out.splitlines()[2]
    overwritten(Path(first))
    overwritten(Path(last))

    assert f"`healthpipe orchestrate --root {Path('data').resolve()} --force`" in cli("current").err
    assert orchestrate("--force").code == 0
    assert cli("current").code == 0
