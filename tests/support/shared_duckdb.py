"""One DuckDB for all connections of a test process: making one takes 15 ms, connecting none.

Connections see the same database, but the package makes temporary objects alone, which belong to
one connection. Whatever else is made is found at the end, and named.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pytest

MEMORY = ":memory:"
LASTING = """
    select table_name from duckdb_tables() where not temporary
    union all select view_name from duckdb_views() where not internal and not temporary
    union all select function_name from duckdb_functions()
        where not internal and database_name <> 'temp'
    union all select schema_name from duckdb_schemas() where not internal
"""


@contextmanager
def shared_databases() -> Iterator[Callable[..., duckdb.DuckDBPyConnection]]:
    """Have `duckdb.connect()` connect to a database that others are connected to, too.

    Settings have a database each, whatever folder they spill to; so has `:memory:NAME`, which
    connections of a process share anyway. For ":memory:" and files a database is made. Yields
    the function that makes one.
    """
    make = duckdb.connect
    databases: dict[str, duckdb.DuckDBPyConnection] = {}

    def connect(
        *named: str, config: dict[str, Any] | None = None, **more: Any
    ) -> duckdb.DuckDBPyConnection:
        is_shared = not named or (named[0].startswith(MEMORY) and named[0] != MEMORY)
        if more or not is_shared:
            return make(*named, config=config or {}, **more)
        wanted = dict(config or {})
        if "temp_directory" in wanted:
            wanted["temp_directory"] = spill
        key = repr(sorted(wanted.items()))
        if key not in databases:
            databases[key] = make(config=wanted)
        return databases[key].cursor()

    with tempfile.TemporaryDirectory() as spill, pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", connect)
        yield make
        lasting = [name for each in databases.values() for (name,) in each.sql(LASTING).fetchall()]
        for each in databases.values():
            each.close()
    assert not lasting, f"tests share a database, and these are in it: {lasting}"
