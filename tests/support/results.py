"""The rows of a stage's result, read by something else than what wrote it."""

import csv
import io
import json
from pathlib import Path

import duckdb

COLUMNS = {
    "extract": [
        "facility_id",
        "facility_name",
        "employee_count",
        "number_of_offered_services",
        "expiry_date_of_first_accreditation",
    ],
    "filter-expiring": ["facility_id", "facility_name", "state", "next_expiry", "record"],
    "state-counts": [
        "state",
        "accredited_facilities",
        "facilities",
        "employees",
        "accreditations",
    ],
}


def rows_of(stage: str, fmt: str, path: Path) -> int:
    """The rows of a result, read by something else than what wrote it."""
    if fmt == "parquet":
        with duckdb.connect() as connection:
            table = connection.execute("from read_parquet($1)", [str(path)])
            assert [column[0] for column in table.description] == COLUMNS[stage]
            return len(table.fetchall())
    if fmt == "csv":
        header, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
        assert header == COLUMNS[stage]
        return len(rows)
    if fmt == "ndjson":
        return len([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    document = json.loads(path.read_text(encoding="utf-8"))
    return len(document["rows"] if stage == "state-counts" else document)
