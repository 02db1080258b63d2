"""Part files of a result on this machine: their rows counted, and joined into one file."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from healthpipe.choices import Format

CHUNK_BYTES = 1 << 20


def count_rows(path: Path, fmt: Format) -> int:
    """Count the rows of a Parquet file by its footer, or the lines of a file of another format."""
    if fmt is Format.PARQUET:
        import duckdb

        with duckdb.connect() as connection:
            row = connection.execute(
                "select num_rows from parquet_file_metadata($1)", [str(path)]
            ).fetchone()
        return int(row[0]) if row else 0
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))


def join_parts(parts: Sequence[Path], fmt: Format, target: Path) -> None:
    """Join the part files of a result, in their order, into the file `target`."""
    if fmt is Format.PARQUET:
        import duckdb

        with duckdb.connect() as connection:
            connection.execute("set preserve_insertion_order = true")
            connection.execute(
                "copy (from read_parquet($1)) to $2 (format parquet, compression zstd)",
                [[str(part) for part in parts], str(target)],
            )
        return
    with target.open("wb") as whole:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole, CHUNK_BYTES)
