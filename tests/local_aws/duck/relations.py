"""The tables of a query as relations of DuckDB."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from tests.local_aws import stored
from tests.local_aws.athena.backend import QueryFailed
from tests.local_aws.duck import tables
from tests.local_aws.duck.lines import read_lines
from tests.local_aws.duck.tables import Table
from tests.local_aws.stored import StoredObject


class Relations:
    """Gives a query's connection the tables that it names; `bytes_scanned` counts their files."""

    def __init__(
        self,
        connection: Any,
        folder: Path,
        without_paths: bool,
        raise_if_stopping: Callable[[], None],
    ) -> None:
        self._connection, self._folder = connection, folder
        self._without_paths = without_paths
        self._raise_if_stopping = raise_if_stopping
        self._known: dict[tuple[str, str], str] = {}
        self.bytes_scanned = 0

    def named(self, database: str, name: str) -> str:
        """The relation that stands for a table. Raises `QueryFailed`."""
        known = self._known.get((database, name))
        if known is None:
            known = f"glue_{len(self._known)}"
            self._known[database, name] = known
            table = tables.table(database, name)
            self.bytes_scanned += sum(item.size for item in table.files)
            if table.is_parquet:
                self._define_parquet(known, table)
            else:
                self._define_lines(known, table)
        return known

    def _define_lines(self, name: str, table: Table) -> None:
        self._connection.register(f"{name}_lines", read_lines(table, self._raise_if_stopping))
        columns = ", ".join(
            f'try_cast("{column}" as {tables.duck_type(kind)}) as "{column}"'
            for column, kind in table.columns.items()
        )
        self._define(name, f'select {columns}, "$path" from {name}_lines')

    def _define_parquet(self, name: str, table: Table) -> None:
        if not table.files:
            columns = ", ".join(_cast("null", *column) for column in table.columns.items())
            self._define(name, f"select {columns}, '' as \"$path\" where false")
            return
        local = {str(self._local(item)): item.uri for item in table.files}
        paths = ", ".join(_quoted(path) for path in local)
        read = f"read_parquet([{paths}], filename='$local', union_by_name=true)"
        held = self._held(read, local)
        columns = ", ".join(
            _cast(f'"{column}"' if column in held else "null", column, kind)
            for column, kind in table.columns.items()
        )
        uris = ", ".join(f"{_quoted(path)}: {_quoted(uri)}" for path, uri in local.items())
        self._define(name, f'select {columns}, map {{{uris}}}["$local"] as "$path" from {read}')

    def _held(self, read: str, local: dict[str, str]) -> set[str]:
        """The names of the columns that the files have."""
        try:
            found = self._connection.execute(f"describe select * from {read}").fetchall()
        except duckdb.Error as error:
            uri = next((uri for path, uri in local.items() if path in str(error)), "")
            raise QueryFailed(
                f"HIVE_BAD_DATA: Malformed Parquet file. {uri} is not a valid Parquet File [{uri}]"
            ) from error
        return {name.lower() for name, *_ in found}

    def _local(self, item: StoredObject) -> Path:
        """A copy of an object on this machine."""
        digest = sha256(f"{item.uri}\n{item.etag}".encode()).hexdigest()
        path = self._folder / f"{digest}.parquet"
        if not path.exists():
            part = path.with_suffix(f".{id(self)}")
            part.write_bytes(stored.content(item.uri))
            part.replace(path)
        return path

    def _define(self, name: str, sql: str) -> None:
        visible = '* exclude ("$path")' if self._without_paths else "*"
        self._connection.execute(f"create temp view {name} as select {visible} from ({sql})")


def _cast(value: str, column: str, kind: str) -> str:
    return f'cast({value} as {tables.duck_type(kind)}) as "{column}"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
