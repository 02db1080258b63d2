"""The DuckDB database of this process: its memory, its threads, and where it spills.

A database in memory has a limit. What does not fit, tables and the rows that a query sorts or
groups, goes to files of a folder. What one thread holds of the files that it reads and writes
cannot go there, so that the limit decides how many threads there may be.
"""

from pathlib import Path

import duckdb

from healthpipe.engines import MEMORY_OPTION, MEMORY_VARIABLE, memory_limit
from healthpipe.errors import ServiceFailed
from healthpipe.text import written_size

SPILL = "spill"
# DuckDB takes a tenth more than it counts.
COUNTED = 0.9
# What a thread may need at once: pages of the Parquet that it reads, row groups that it writes.
THREAD_BYTES = 200_000_000


def connect(spill: Path) -> duckdb.DuckDBPyConnection:
    """Open a connection to the database that spills below the local folder `spill`.

    The connections of this process with the same folder share one database, and so the
    `memory_limit` and the threads. Each has its own temporary relations and variables.
    """
    # Extensions are never installed or loaded behind the user's back.
    limit = memory_limit()
    connection = duckdb.connect(
        f":memory:{spill.absolute()}",
        config={
            "temp_directory": str(spill / SPILL),
            "memory_limit": f"{int(limit * COUNTED)}B",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    # DuckDB draws a bar on standard output where Python runs no file: `-c`, a notebook, a shell.
    connection.execute("set enable_progress_bar_print = false")
    _limit_threads(connection, max(1, limit // THREAD_BYTES))
    return connection


def _limit_threads(connection: duckdb.DuckDBPyConnection, most: int) -> None:
    """Have a database use no more threads than that, of those that the machine has."""
    row = connection.execute("select current_setting('threads')").fetchone()
    if row and row[0] > most:
        connection.execute(f"set threads = {most:d}")


def translate_error(error: duckdb.Error) -> Exception:
    """Translate an error of DuckDB, without the values of records that it may quote."""
    if isinstance(error, duckdb.OutOfMemoryException):
        if "max_temp_directory_size" in str(error):
            return ServiceFailed(
                "the disk has no room for what DuckDB cannot hold in memory",
                "free space in the root's file system and run again",
            )
        return ServiceFailed(
            f"DuckDB needs more memory than its limit of {written_size(memory_limit())}",
            f"give more by {MEMORY_OPTION} or {MEMORY_VARIABLE}, and run again",
        )
    if isinstance(error, duckdb.IOException):
        return ServiceFailed(
            "DuckDB could not read or write a file",
            "check the disk's free space and permissions, then run again (--debug shows more)",
        )
    return error
