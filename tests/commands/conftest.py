"""What tests of commands share: roots in some state, and calls of a group of commands."""

from pathlib import Path

import pytest

from healthpipe.errors import ServiceFailed
from tests.support.quarantine import RAW


@pytest.fixture
def pointer(tmp_path) -> Path:
    return tmp_path / "data" / "production" / "current.json"


@pytest.fixture
def failed(orchestrate, step_spy):
    """A root whose last run failed, after one that published."""
    good = orchestrate("--json").document["run_id"]
    step_spy.failing["Curate"] = ServiceFailed("the disk is full", "free space")
    assert orchestrate("--force").code == 4
    return good


@pytest.fixture
def rejecting(cli, tmp_path):
    """Put files below raw/, run a stage over them and give the id of that run."""

    def run(content: bytes = b"", **more: bytes) -> str:
        for name, data in {str(RAW): content, **more}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        return cli("extract", "--json").document["run_id"]

    return run


@pytest.fixture
def quarantine(cli):
    """Call a command of the group with --json, for its document; it must succeed."""

    def call(*arguments):
        outcome = cli("quarantine", *arguments, "--json")
        assert outcome.code == 0, outcome.err
        document = outcome.document
        assert document["schema_version"] == 1
        assert document["command"] == f"quarantine {arguments[0]}"
        assert document["status"] == "succeeded"
        return document

    return call
