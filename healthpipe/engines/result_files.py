"""Parts of a result, on this machine: what each holds, and all of them as one file."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from healthpipe.choices import Format

CHUNK_BYTES = 1 << 20


def count_rows(path: Path, fmt: Format) -> int:
    """The rows of a Parquet file by its footer, the lines of any other."""
    if fmt is Format.PARQUET:
        import duckdb

        with duckdb.connect() as connection:
            found = connection.execute(
                "select num_rows from parquet_file_metadata($1)", [str(path)]
            ).fetchone()
        return int(found[0]) if found else 0
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))


def join_parts(parts: Sequence[Path], fmt: Format, target: Path) -> None:
    """Make one file of the parts of a result, in their order."""
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
