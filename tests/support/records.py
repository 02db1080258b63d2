"""Records and files for the tests of a rule, and the rows that a stage makes of them."""

import csv
import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

LATER, GONE = "2026-03-01", "2026-02-14"  # expires in the window, has expired


def facility(name, *dates, state="CA", **fields) -> dict:
    """A record without any issue, with an accreditation for each date."""
    accreditations = [{"accreditation_id": f"A{n}", "valid_until": d} for n, d in enumerate(dates)]
    record = {"facility_id": name, "facility_name": "x", "location": {"state": state}}
    return record | {"accreditations": accreditations} | fields


def as_line(record: dict | str | bytes) -> bytes:
    """A record as bytes without a line ending; text and bytes stay as they are."""
    if isinstance(record, dict):
        record = json.dumps(record, ensure_ascii=False)
    return record if isinstance(record, bytes) else record.encode()


def write_records(path: str | Path, *records: dict | str | bytes) -> Path:
    """Write records and raw lines to a file, compressed if its name ends in .gz."""
    content = b"".join(as_line(record) + b"\n" for record in records)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def csv_rows(content: str) -> list[list[str]]:
    """The rows of a CSV without its header."""
    return list(csv.reader(io.StringIO(content, newline=""), strict=True))[1:]


def parquet_rows(path: str | Path) -> list[tuple]:
    """The rows of a Parquet file."""
    with duckdb.connect() as connection:
        return connection.execute("from read_parquet($1)", [str(path)]).fetchall()


@dataclass
class StageResult:
    """The rows of a result as CSV, with its run's counts, issues and rejects."""

    rows: list[list[str]]
    records: dict[str, int]
    issues: dict[str, int]
    rejects: list[tuple]

    @property
    def first_column(self) -> list[str]:
        return [row[0] for row in self.rows]
