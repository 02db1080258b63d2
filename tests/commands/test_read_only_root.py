"""A root that its user may only read can be queried; what a run keeps goes to their own folder."""

import json
import re
from pathlib import Path

import pytest

from tests.support.ordinary_user import AS_OF, ordinary_user

RECORD = {"facility_id": "F1", "facility_name": "North", "location": {"state": "CA"}}


@pytest.fixture
def someone(loaded_launcher):
    """An ordinary user who has published a facility and may not change the root any more."""
    with ordinary_user(loaded_launcher) as user:
        user.write("data/raw/a.jsonl", RECORD)
        assert user.orchestrate().code == 0
        folders = [user.home / "data", *(p for p in (user.home / "data").rglob("*") if p.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        yield user
        for folder in folders:
            folder.chmod(0o755)


def kept_in(text: str) -> Path:
    """The folder that a message names."""
    match = re.search(r"cannot be written to: the record .* kept in (\S+) for 30 days", text)
    assert match, text
    return Path(match[1])


@pytest.mark.parametrize(
    ("stage", "beginning"),
    [("extract", "facility_id,"), ("state-counts", "state,"), ("expiry-calendar", "month,")],
)
def test_a_stage_keeps_its_record_elsewhere_and_says_so(someone, stage, beginning):
    outcome = someone.run(stage, "--as-of", AS_OF, "--format", "csv", "-o", "-")

    folder = kept_in(outcome.err)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(beginning)
    assert folder == someone.home / ".local/state/healthpipe"
    assert folder.stat().st_mode & 0o077 == 0
    assert len(list(folder.glob("runs/*/run.json"))) == 1
    assert f"`healthpipe runs list --root {folder} --all`" in outcome.err
    assert stage in someone.run("runs", "list", "--all", "--json", "--root", folder).out


def test_what_such_a_run_rejects_can_be_looked_at_for_thirty_days(someone):
    (someone.home / "more.jsonl").write_text(json.dumps(RECORD) + "\n{\n")
    folder = kept_in(someone.run("extract", "more.jsonl", "--format", "csv", "-o", "-").err)
    (run,) = folder.glob("runs/*")

    shown = someone.run("quarantine", "show", "--root", folder, run.name)
    run.rename(run.with_name("20250101T000000Z-abcdef"))
    someone.run("extract", "more.jsonl", "--format", "csv", "-o", "-")

    assert (shown.code, "not_json" in shown.out) == (0, True), shown
    (later,) = folder.glob("runs/*")
    assert later.name not in (run.name, "20250101T000000Z-abcdef")


def test_where_no_record_can_be_kept_the_message_says_what_helps(someone):
    (someone.home / ".local").write_text("no folder")

    outcome = someone.run("extract", "--format", "csv", "-o", "-")

    assert outcome.code == 2
    assert "set XDG_STATE_HOME to a folder that may be written to" in outcome.err


@pytest.mark.parametrize("command", [("status",), ("current",), ("runs", "list"), ("runs", "show")])
def test_commands_that_only_read_work(someone, command):
    outcome = someone.run(*command)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out
