"""A root that its user may only read can be queried; what a run keeps goes elsewhere."""

import re
import shutil
from pathlib import Path

import pytest

from tests.support.ordinary_user import AS_OF, ordinary_user

RECORD = {"facility_id": "F1", "facility_name": "North", "location": {"state": "CA"}}


@pytest.fixture
def someone():
    """An ordinary user who has published a facility and may not change the root any more."""
    with ordinary_user() as user:
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
    match = re.search(r"cannot be written to: the record of this run is kept in (\S+)\n", text)
    assert match, text
    return Path(match[1])


@pytest.mark.parametrize(
    ("stage", "beginning"),
    [("extract", "facility_id,"), ("state-counts", "state,"), ("expiry-calendar", "month,")],
)
def test_a_stage_keeps_its_record_elsewhere_and_says_so(someone, stage, beginning):
    outcome = someone.run(stage, "--as-of", AS_OF, "--format", "csv", "-o", "-")

    folder = kept_in(outcome.err)
    try:
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith(beginning)
        assert folder.stat().st_mode & 0o077 == 0
        assert len(list(folder.glob("runs/*/run.json"))) == 1
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("command", [("status",), ("current",), ("runs", "list"), ("runs", "show")])
def test_commands_that_only_read_work(someone, command):
    outcome = someone.run(*command)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out
