"""What is known of each raw file, as a Parquet file that a query joins with the lines."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from healthpipe.engines.base import LineFile

FILE_TYPES = {"path": "VARCHAR", "source": "VARCHAR", "folder_date": "DATE", "landed": "BOOLEAN"}
_COPY = """
    copy (
        select
            unnest($1::varchar[]) as path, unnest($2::varchar[]) as source,
            unnest($3::date[]) as folder_date, unnest($4::boolean[]) as landed
    ) to $5 (format parquet)
"""


def describe_files(files: Sequence[LineFile], path: Path) -> None:
    """Write a row for each file to a new file; ten thousand would not fit in a statement."""
    columns = (
        [file.path for file in files],
        [file.source for file in files],
        [file.folder_date for file in files],
        [file.landed for file in files],
    )
    with duckdb.connect() as connection:
        connection.execute(_COPY, [*columns, str(path)])
