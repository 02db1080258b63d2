"""Rejected lines and their repair, for the tests of the quarantine."""

import json
from pathlib import Path

import duckdb

RAW = Path("data/raw/2026-01-05/a.jsonl")
BROKEN, NAMELESS, LIST = b'{"facility_id": "F2", broken', b'{"facility_name": "x"}', b"[1]"


def record(name: str) -> bytes:
    return json.dumps({"facility_id": name, "snapshot_date": "2026-01-05"}).encode()


def numbers(document):
    return [line["number"] for line in document["lines"]]


def export(cli, *arguments) -> list[bytes]:
    assert cli("quarantine", "export", "-o", "mend.ndjson", *arguments).code == 0
    return Path("mend.ndjson").read_bytes().split(b"\n")[:-1]


def mend(*lines: bytes, ending: bytes = b"\n") -> Path:
    Path("mend.ndjson").write_bytes(b"".join(line + ending for line in lines))
    return Path("mend.ndjson")


def replayed() -> list[Path]:
    return sorted(Path("data/raw").rglob("replayed-*"))


def answers() -> list[dict]:
    return [json.loads(path.read_text()) for path in Path("data/state").rglob("*.json")]


def ids_of(outcome) -> list[str]:
    with duckdb.connect() as connection:
        path = outcome.document["output"]["path"]
        return [
            row[0] for row in connection.execute(f"select facility_id from '{path}'").fetchall()
        ]
