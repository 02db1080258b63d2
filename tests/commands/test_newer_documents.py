"""What a newer healthpipe wrote is refused with exit 2 by who reads it, and never overwritten."""

import json
from pathlib import Path

import pytest

from tests.conftest import AS_OF
from tests.support.aws_root import facility

NEWER = 9
RAW = Path("data/raw/2026-02-01/facilities.jsonl")
LINES = facility("F1", "CA", "2026-03-01") * 9 + b"broken\n"
AGAIN = ("orchestrate", "--as-of", "2026-02-16", "--max-rejects", "50%")

# Each document, and the commands that read it.
POINTER = "data/production/current.json"
READERS = {
    POINTER: [
        AGAIN, ("current",), ("current", "--json"), ("status",), ("runs", "rollback"),
        ("runs", "prune"), ("runs", "prune", "--dry-run"),
    ],
    "data/runs/*/run.json": [
        ("status",), ("runs", "list"), ("runs", "show"), ("runs", "retry"),
        ("quarantine", "replay", str(RAW)),
    ],
    "data/state/alerts.json": [AGAIN, ("status",)],
    "data/curated/*/segment.json": [AGAIN, ("runs", "prune")],
    "data/runs/*/inputs.json": [("quarantine", "show")],
    "data/state/history/*.json": [("runs", "rollback"), ("runs", "prune")],
}  # fmt: skip


@pytest.fixture
def published(cli, tmp_path):
    """A root with a published run, some rejected lines and the state of alerts."""
    path = tmp_path / RAW
    path.parent.mkdir(parents=True)
    path.write_bytes(LINES)
    outcome = cli("orchestrate", "--as-of", AS_OF, "--max-rejects", "50%")
    assert outcome.code == 0, outcome.err


def make_newer(pattern: str) -> dict[Path, bytes]:
    """Put a newer version, of another shape, in the place of documents; returns their bytes."""
    found = sorted(Path().glob(pattern))
    assert found, pattern
    for path in found:
        document = json.loads(path.read_text())
        path.chmod(0o600)
        path.write_text(json.dumps({**document, "schema_version": NEWER, "new": [1]}))
    return {path: path.read_bytes() for path in found}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("pattern", READERS)
def test_a_newer_document_ends_every_command_that_reads_it(cli, pattern):
    before = make_newer(pattern)

    for words in READERS[pattern]:
        outcome = cli(*words)
        assert (outcome.code, words) == (2, words)
        (line,) = [each for each in outcome.err.splitlines() if "upgrade healthpipe" in each][-1:]
        assert "was written by a newer healthpipe (schema_version 9" in line, words
        assert {path: path.read_bytes() for path in before} == before, words


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", [POINTER, "data/state/alerts.json"])
def test_one_of_another_shape_is_newer_and_not_damaged(cli, name):
    content = json.dumps({"schema_version": NEWER}).encode()
    Path(name).chmod(0o600)
    Path(name).write_bytes(content)

    for words in (AGAIN, ("status",)):
        outcome = cli(*words)
        assert outcome.code == 2
        assert "written by a newer healthpipe" in outcome.err
        assert "damaged" not in outcome.err
    assert Path(name).read_bytes() == content


@pytest.mark.usefixtures("published")
def test_a_newer_pointer_stops_a_run_before_anything_is_computed(cli):
    make_newer(POINTER)
    runs = sorted(Path("data/runs").iterdir())
    published = sorted(Path("data/production").iterdir())

    assert cli(*AGAIN).code == 2
    assert sorted(Path("data/runs").iterdir()) == runs
    assert sorted(Path("data/production").iterdir()) == published


@pytest.mark.usefixtures("published")
def test_as_json_the_error_has_its_code(cli):
    make_newer(POINTER)
    assert cli("status", "--json").document["error"]["code"] == "newer_document"
