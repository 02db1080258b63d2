"""DuckDB's database in memory, and its errors as the project's."""

from pathlib import Path

import duckdb

from healthpipe.errors import ServiceFailed

MEMORY_LIMIT = "1GB"


def connect(scratch: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory that spills to `scratch`."""
    # Extensions are never installed or loaded behind the user's back.
    connection = duckdb.connect(
        config={
            "temp_directory": str(scratch / "spill"),
            "memory_limit": MEMORY_LIMIT,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    # DuckDB draws a bar on standard output where Python runs no file: `-c`, a notebook, a shell.
    connection.execute("set enable_progress_bar_print = false")
    return connection


def translated(error: duckdb.Error) -> Exception:
    """The project's error for one of DuckDB's, without the values of records that it may quote."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return ServiceFailed(
            "DuckDB ran out of memory or of disk for what does not fit in memory",
            "free space in the root's file system and run again",
        )
    if isinstance(error, duckdb.IOException):
        return ServiceFailed(
            "DuckDB could not read or write a file",
            "check the disk's free space and permissions, then run again (--debug shows more)",
        )
    return error
