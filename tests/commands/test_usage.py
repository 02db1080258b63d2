"""Bad use: exit 2, one line that says what to do next, and nothing written."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import tree

BAD_USE = {
    "a source that is not there": ["extract", "nowhere.jsonl"],
    "a glob that matches nothing": ["extract", "no-*.jsonl"],
    "a folder that holds nothing": ["extract", "empty"],
    "a folder that holds nothing readable": ["extract", "unread"],
    "no raw files yet": ["filter-expiring"],
    "an unknown format": ["extract", "in", "--format", "xml"],
    "a format that contradicts the suffix": ["extract", "in", "--format", "csv", "-o", "x.parquet"],
    "a suffix that promises another format": ["extract", "in", "-o", "x.xlsx"],
    "a compressed suffix": ["extract", "in", "--format", "csv", "-o", "x.csv.gz"],
    "months and days together": ["filter-expiring", "in", "--months", "1", "--days", "2"],
    "too many months": ["filter-expiring", "in", "--months", "121"],
    "negative months": ["filter-expiring", "in", "--months", "-1"],
    "too many days": ["filter-expiring", "in", "--days", "3661"],
    "months that are no number": ["filter-expiring", "in", "--months", "six"],
    "a day that is none": ["extract", "in", "--as-of", "2026-02-30"],
    "a day in another form": ["extract", "in", "--as-of", "20260215"],
    "a day that is blank": ["orchestrate", "in", "--as-of", ""],
    "a snapshot that is none": ["extract", "in", "--snapshot", "oldest"],
    "an output inside the input": ["extract", "in", "-o", "in/out.csv"],
    "an output deep inside the input": ["extract", "in", "-o", "in/deep/out.csv"],
    "an output over the input": ["extract", "in/a.jsonl", "-o", "in/a.jsonl"],
    "an output that the glob would read": ["extract", "in/*.jsonl", "-o", "in/out.jsonl"],
    "an output that is a folder": ["extract", "in", "-o", "empty"],
    "an output in a folder that is not there": ["extract", "in", "-o", "nowhere/x.csv"],
    "an output in a folder that is a file": ["extract", "in", "-o", "in/a.jsonl/x.csv"],
    "data and a document on standard output": ["extract", "in", "-o", "-", "--json"],
    "an unknown option": ["extract", "in", "--fast"],
    "an option of another command": ["extract", "in", "--months", "3"],
    "an unknown command": ["extrakt"],
    "an unknown stage": ["current", "extrakt"],
    "nothing published": ["current"],
    "Athena": ["extract", "in", "--engine", "athena"],
    "Athena for the workflow": ["orchestrate", "in", "--engine", "athena"],
    "a source in a bucket that cannot be": ["extract", "s3://Bucket/raw"],
    "an output in a bucket that cannot be": ["extract", "in", "-o", "s3://b/x.csv"],
    "a root in no bucket": ["orchestrate", "in", "--root", "s3://"],
    "no records to generate": ["generate-data", "--n", "0"],
    "chunks of nothing": ["generate-data", "--chunk", "0"],
    "a snapshot without room for dates": ["generate-data", "--snapshot", "9999-12-31"],
    "an alert about nothing": ["alert"],
    "an SNS topic that is none": ["alert", "--test", "--sns-topic", "alerts"],
    "nothing to roll back": ["runs", "rollback"],
    "no published runs to keep": ["runs", "prune", "--keep", "0"],
    "days of runs below none": ["runs", "prune", "--days", "-1"],
    "days of runs beyond all calendars": ["runs", "prune", "--days", "36501"],
    "a configuration that is not there": ["extract", "in", "--config", "none.toml"],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.jsonl").write_text('{"facility_id": "F1"}\n')
    (tmp_path / "empty").mkdir()
    (tmp_path / "unread").mkdir()
    (tmp_path / "unread" / "table.xlsx").write_text("no")
    (tmp_path / "unread" / "_hidden.jsonl").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("arguments", BAD_USE.values(), ids=BAD_USE)
def test_is_refused_in_one_line_before_anything_is_written(cli, folder, arguments):
    before = tree(folder)

    outcome = cli(*arguments)

    assert outcome.code == 2
    assert outcome.out == "" or "--json" in arguments
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.startswith("healthpipe: ")
    assert ";" in outcome.err, "the line says what to do next"
    assert tree(folder) == before


def test_the_error_is_a_document_with_json(cli, folder):
    outcome = cli("extract", "nowhere.jsonl", "--json")

    assert (outcome.document["command"], outcome.document["status"]) == ("extract", "failed")
    assert outcome.document["error"]["code"] == "source_not_found"
    assert set(outcome.document["error"]) == {"code", "message", "hint"}
    assert outcome.err.startswith("healthpipe: nowhere.jsonl is not there")


def test_the_error_is_one_json_line_in_a_json_log(cli, folder):
    outcome = cli("filter-expiring", "nowhere.jsonl", "--log-format", "json")

    assert json.loads(outcome.err)["level"] == "error"


def test_a_traceback_is_shown_with_debug_only(cli, folder):
    assert "Traceback" not in cli("extract", "nowhere.jsonl").err
    assert "Traceback" in cli("extract", "nowhere.jsonl", "--debug").err


def test_the_hint_names_the_command(cli, folder):
    assert "`healthpipe extract --help`" in cli("extract", "in", "--fast").err


EARLY = {
    "an unknown command": "nonsense",
    "an unknown command of a group": "runs nonsense",
    "an unknown option": "extract --fast",
    "a value that is no number": "orchestrate --months abc",
    "a value out of its range": "runs list --limit 0",
    "a value that a callback refuses": "alert --sns-topic x",
    "an argument that is none": "current extrakt",
    "a value that is checked later": "orchestrate in --max-drop x",
    "an age that is none": "status --max-age x",
    "a root that is none": "doctor --root s3://",
    "a root that is not there": "runs list --root nowhere",
    "nothing asked for": "alert",
    "quarantine of no root": "quarantine list --root s3://",
    "an export to nowhere": "quarantine export",
}


@pytest.mark.parametrize("command", EARLY.values(), ids=EARLY)
def test_the_error_is_a_document_if_the_environment_says_json(cli, folder, monkeypatch, command):
    with_flag = cli(*command.split(), "--json")
    monkeypatch.setenv("HEALTHPIPE_JSON", "1")
    outcome = cli(*command.split())
    assert (outcome.code, outcome.document) == (2, with_flag.document)
    assert outcome.document["status"] == "failed"
    monkeypatch.setenv("HEALTHPIPE_JSON", "0")
    assert cli(*command.split()).out == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("healthpipe st", "status"),
        ("healthpipe status --max", "--max-age"),
        ("healthpipe runs r", "retry"),
        ("healthpipe status --reg", "--region"),
        ("healthpipe extract --str", "--strict"),
        ("healthpipe runs list --pro", "--profile"),
    ],
)
def test_a_shell_completes_commands_and_options(tmp_path, words, expected):
    code = "import sys; sys.argv = ['healthpipe']; from healthpipe.cli.app import run; run()"
    asked = {
        "_HEALTHPIPE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    ended = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | asked,
    )

    assert expected in ended.stdout.splitlines()
