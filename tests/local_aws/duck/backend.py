"""The back end that runs on an embedded DuckDB."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from tests.local_aws.athena.backend import (
    Column,
    QueryFailed,
    QueryStopped,
    Result,
    Stopping,
    Written,
)
from tests.local_aws.athena.statement import Unload
from tests.local_aws.duck import dialect, functions, octets
from tests.local_aws.duck.relations import Relations
from tests.local_aws.duck.unloading import unloaded

UNKNOWN_COLUMN = r'(?:Referenced column|does not have a column named) "?([^" ]+)"?'
SETTINGS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


class DuckBackend:
    """One database for all queries, a connection for each."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="local-aws-")
        self._root = duckdb.connect(":memory:", config=SETTINGS)
        functions.register(self._root)

    def open(self, endpoint_url: str) -> None:
        """Everything is in this process."""

    def select(self, sql: str, database: str, stopping: Stopping) -> Result:
        with _running(self._root, self._folder.name, stopping) as run:
            found = run.executed(sql, database)
            types = [str(kind) for _, kind, *_ in found.description]
            columns = [
                Column(name, athena_type(kind))
                for (name, *_), kind in zip(found.description, types, strict=True)
            ]
            rows = [tuple(map(_as_shown, row)) for row in found.fetchall()]
            return Result(columns, rows, run.bytes_scanned)

    def unload(self, unload: Unload, database: str, _: str, stopping: Stopping) -> Written:
        with _running(self._root, self._folder.name, stopping) as run:
            found = run.executed(unload.select, database)
            return Written(unloaded(found, unload, stopping), run.bytes_scanned)

    def close(self) -> None:
        self._root.close()
        self._folder.cleanup()


@contextmanager
def _running(root: Any, folder: str, stopping: Stopping) -> Iterator["_Run"]:
    """A run that is interrupted when it has to stop, and whose failures are Athena's."""
    with root.cursor() as connection, stopping.calling(connection.interrupt):
        try:
            connection.execute("set timezone = 'UTC'")
            connection.execute("set enable_progress_bar_print = false")
            yield _Run(connection, Path(folder), stopping)
        except duckdb.InterruptException as error:
            raise QueryStopped from error
        except duckdb.Error as error:
            stopping.raise_if_asked()
            raise _failure(error) from error


class _Run:
    """One query on a connection of its own."""

    def __init__(self, connection: Any, folder: Path, stopping: Stopping) -> None:
        self._connection, self._folder, self._stopping = connection, folder, stopping
        self.bytes_scanned = 0

    def executed(self, sql: str, database: str) -> Any:
        """A query's result, to be fetched."""
        tree = dialect.parsed(sql)
        places = dialect.tables(tree)
        names = {place.alias_or_name for place in places}
        relations = Relations(
            self._connection,
            self._folder,
            dialect.without_paths(tree, names),
            self._stopping.raise_if_asked,
        )
        for place in places:
            relation = relations.named(place.db or database, place.name)
            place.replace(dialect.table(relation, place))
        self.bytes_scanned = relations.bytes_scanned
        self._stopping.raise_if_asked()
        return _sums_as_trino(self._connection.sql(dialect.translated(tree)))


def _sums_as_trino(found: Any) -> Any:
    """A result with sums of BIGINT as BIGINT."""
    if "HUGEINT" not in map(str, found.types):
        return found
    return found.project(
        ", ".join(
            f'cast("{name}" as bigint) as "{name}"' if str(kind) == "HUGEINT" else f'"{name}"'
            for name, kind in zip(found.columns, found.types, strict=True)
        )
    )


def athena_type(duck: str) -> str:
    """Athena's word for a type of DuckDB, without what is inside it."""
    if duck.endswith("[]"):
        return "array"
    word = duck.partition("(")[0]
    words = {
        "STRUCT": "row", "MAP": "map", "BLOB": "varbinary", "HUGEINT": "bigint",
        "FLOAT": "float", "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
        '"NULL"': "unknown", "JSON": "json",
    }  # fmt: skip
    return duck.lower() if word == "DECIMAL" else words.get(word, word.lower())


def _as_shown(value: Any) -> Any:
    """A text as GetQueryResults gives it, in Unicode."""
    if isinstance(value, str) and octets.is_private(value):
        return octets.bytes_of(value).decode("utf-8", "replace")
    return value


def _failure(error: duckdb.Error) -> QueryFailed:
    """A failure in Athena's words, as far as they can be told from DuckDB's."""
    text = str(error).splitlines()[0]
    column = re.search(UNKNOWN_COLUMN, text)
    if isinstance(error, duckdb.BinderException) and column:
        reason = f"COLUMN_NOT_FOUND: line 1:8: Column '{column[1]}' cannot be resolved"
        return QueryFailed(reason, type=1200)
    if isinstance(error, duckdb.CatalogException):
        found = re.search(r"Function with name \"?(\w+)", text)
        if found:
            reason = f"FUNCTION_NOT_FOUND: line 1:8: Function '{found[1]}' not registered"
            return QueryFailed(reason)
    if isinstance(error, duckdb.BinderException | duckdb.ParserException):
        return QueryFailed(f"SYNTAX_ERROR: line 1:8: {text}")
    if isinstance(error, duckdb.ConversionException):
        return QueryFailed(f"INVALID_CAST_ARGUMENT: {text}")
    cast = re.search(r"Cannot cast to .*", text)
    if cast:
        return QueryFailed(f"INVALID_CAST_ARGUMENT: {cast[0]}")
    return QueryFailed(f"GENERIC_USER_ERROR: {text}")
