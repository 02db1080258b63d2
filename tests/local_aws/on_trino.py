"""The back end that runs on a real Trino, the engine inside Athena."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from trino.dbapi import Cursor, connect
from trino.exceptions import Error, TrinoQueryError
from trino.types import NamedRowTuple

from tests.local_aws import stored
from tests.local_aws.athena.backend import Column, QueryFailed, Result, Stopping, Written
from tests.local_aws.athena.statement import Unload
from tests.support.trino_server import CATALOG, TrinoServer, start_trino

RETRY_S = 0.05
NODES_TIMEOUT_S = 30
CATEGORIES = {"USER_ERROR": 2, "INTERNAL_ERROR": 1, "INSUFFICIENT_RESOURCES": 1}


class TrinoBackend:
    """Queries of a Trino server that is started for them."""

    def __init__(self) -> None:
        self._kept = ExitStack()
        self.server: TrinoServer | None = None

    def open(self, endpoint_url: str) -> None:
        """Start the server: it takes some twenty seconds."""
        self.server = self._kept.enter_context(start_trino(endpoint_url))

    def select(self, sql: str, database: str, stopping: Stopping) -> Result:
        with self._cursor(database, stopping) as cursor:
            _execute(cursor, sql, stopping)
            rows = [tuple(map(_plain, row)) for row in cursor.fetchall()]
            columns = [Column(name, _athena_type(kind)) for name, kind, *_ in cursor.description]
            return Result(columns, rows, cursor.stats["physicalInputBytes"])

    def unload(self, unload: Unload, database: str, query_id: str, stopping: Stopping) -> Written:
        """A table over the folder is made of the query's rows and dropped: its files stay."""
        home, name = _home(database), f"unload_{query_id.replace('-', '_')}"
        table = f'{CATALOG}."{home}".{name}'
        codec = unload.properties.get("compression", "GZIP").upper()
        with self._cursor(database, stopping, codec) as cursor:
            try:
                made = f"create table {table} with ({_layout(unload)}) as {unload.select}"
                _execute(cursor, made, stopping)
                cursor.fetchall()
                scanned = cursor.stats["physicalInputBytes"]
            finally:
                stored.drop_table(home, name)
        return Written([item.uri for item in stored.below(unload.target)], scanned)

    def close(self) -> None:
        self._kept.close()

    @contextmanager
    def _cursor(self, database: str, stopping: Stopping, codec: str = "GZIP") -> Iterator[Cursor]:
        """A cursor whose query is cancelled when it has to stop."""
        connection = self._connected(database, codec)
        cursor = connection.cursor()

        def cancel() -> None:
            # A query that is not yet there cannot be cancelled.
            with suppress(Error, AttributeError):
                cursor.cancel()

        try:
            with stopping.calling(cancel):
                yield cursor
            stopping.raise_if_asked()
        except TrinoQueryError as error:
            stopping.raise_if_asked()
            category = CATEGORIES.get(error.error_type, 3)
            raise QueryFailed(f"{error.error_name}: {error.message}", category) from error
        except Error as error:
            stopping.raise_if_asked()
            raise QueryFailed(f"GENERIC_INTERNAL_ERROR: {error}", 1, 100) from error
        finally:
            connection.close()

    def _connected(self, database: str, codec: str) -> Any:
        assert self.server is not None
        return connect(
            host=self.server.host,
            port=self.server.port,
            user="test",
            catalog=CATALOG,
            schema=database,
            session_properties={f"{CATALOG}.compression_codec": codec},
        )


def _execute(cursor: Cursor, sql: str, stopping: Stopping) -> None:
    """Run a statement. A server that has only just started may have no node for it yet."""
    deadline = time.monotonic() + NODES_TIMEOUT_S
    while True:
        try:
            cursor.execute(sql)
        except TrinoQueryError as error:
            if error.error_name != "NO_NODES_AVAILABLE" or time.monotonic() > deadline:
                raise
            if stopping.asked.wait(RETRY_S):
                raise
        else:
            return


def _home(database: str) -> str:
    """A database for the table of an UNLOAD, which Athena does without."""
    if database not in stored.databases():
        stored.glue().create_database(database, {"Name": database})
    return database


def _layout(unload: Unload) -> str:
    """The properties of the table."""
    target = unload.target.replace("'", "''")
    properties = [
        f"external_location = '{target}'",
        f"format = '{unload.properties['format'].upper()}'",
    ]
    delimiter = unload.properties.get("field_delimiter")
    if delimiter is not None:
        properties.append(f"textfile_field_separator = '{delimiter.replace(chr(39), chr(39) * 2)}'")
    return ", ".join(properties)


def _athena_type(kind: str) -> str:
    word = kind.partition("(")[0]
    return kind if word == "decimal" else {"real": "float"}.get(word, word)


def _plain(value: Any) -> Any:
    """Rows as dictionaries, so that they are shown with the names of their fields."""
    if isinstance(value, NamedRowTuple):
        names = value.__annotations__["names"]
        return {name: _plain(item) for name, item in zip(names, value, strict=True)}
    return [_plain(item) for item in value] if isinstance(value, list) else value
