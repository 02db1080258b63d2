"""The files of an UNLOAD on this machine: read, put in order, and written as one file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from healthpipe.cancellation import cancelled_when_stopping, raise_if_stopping
from healthpipe.engines.athena.types import Types
from healthpipe.engines.base import Row
from healthpipe.engines.database import connect
from healthpipe.engines.duckdb import STREAMED_ROWS
from healthpipe.engines.ordering import Unsorted
from healthpipe.errors import ServiceFailed

FOUND = "rows_found"


class Parts:
    """Reads local Parquet files with the rows of a query; without any there are none.

    `types` are those of all columns, keys to sort by included.
    """

    def __init__(
        self, scratch: Path, result: Unsorted, types: Types, paths: Sequence[Path]
    ) -> None:
        self._scratch = scratch
        self._query = result.sorted_rows(FOUND)
        self._found = _query_of(types, len(paths))
        self._paths = [str(path) for path in paths]

    def rows(self) -> Iterator[Row]:
        """The rows in order."""
        with self._connection() as connection:
            found = connection.execute(self._query)
            while batch := found.fetchmany(STREAMED_ROWS):
                raise_if_stopping()
                yield from batch

    def write(self, path: Path, options: str) -> int:
        """Write the rows in order to a new file, and return how many they are."""
        with self._connection() as connection:
            copy = f"copy ({self._query}) to $1 ({options}, use_tmp_file false)"
            row = connection.execute(copy, [str(path)]).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with connect(self._scratch) as connection, cancelled_when_stopping(connection.interrupt):
            try:
                if self._paths:
                    connection.execute("set variable parts = $1", [self._paths])
                connection.execute(f"create temp view {FOUND} as {self._found}")
                yield connection
            except duckdb.Error as error:
                raise_if_stopping()
                if isinstance(error, (duckdb.IOException, duckdb.OutOfMemoryException)):
                    raise ServiceFailed(
                        "DuckDB could not put a result in order on this machine",
                        "check the disk's free space and permissions, then run again",
                    ) from error
                raise


def _query_of(types: Types, files: int) -> str:
    if files:
        return (
            "select * from read_parquet(getvariable('parts'), hive_partitioning = false,"
            " union_by_name = false)"
        )
    columns = ", ".join(f'cast(null as {kind}) as "{name}"' for name, kind in types.items())
    return f"select {columns} where false"
