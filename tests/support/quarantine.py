"""Rejected lines and their repair, for the tests of the quarantine."""

import json
from pathlib import Path

import duckdb

RAW = Path("data/raw/2026-01-05/a.jsonl")
BROKEN, NAMELESS, LIST = b'{"facility_id": "F2", broken', b'{"facility_name": "x"}', b"[1]"


def record(name: str) -> bytes:
    """A valid line of a facility."""
    return json.dumps({"facility_id": name, "snapshot_date": "2026-01-05"}).encode()


def numbers(document):
    """The line numbers in a document of `quarantine show`."""
    return [line["number"] for line in document["lines"]]


def export(cli, *arguments) -> list[bytes]:
    """Export the rejected lines to mend.ndjson; returns them."""
    assert cli("quarantine", "export", "--force", "-o", "mend.ndjson", *arguments).code == 0
    return Path("mend.ndjson").read_bytes().split(b"\n")[:-1]


def mend(*lines: bytes, ending: bytes = b"\n") -> Path:
    """Write repaired lines to mend.ndjson."""
    Path("mend.ndjson").write_bytes(b"".join(line + ending for line in lines))
    return Path("mend.ndjson")


def replayed() -> list[Path]:
    """The raw files that replays have written."""
    return sorted(Path("data/raw").rglob("replayed-*"))


def answers() -> list[dict]:
    """The documents of which repaired line answers which rejected one."""
    return [json.loads(path.read_text()) for path in Path("data/state").rglob("*.json")]


def ids_of(outcome) -> list[str]:
    """The facility ids in the result of an extract."""
    with duckdb.connect() as connection:
        path = outcome.document["output"]["path"]
        return [
            row[0] for row in connection.execute(f"select facility_id from '{path}'").fetchall()
        ]
