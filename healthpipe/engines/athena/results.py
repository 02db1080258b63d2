"""Results of queries: UNLOAD to files that are read here, and rows from GetQueryResults.

A large result is unloaded as Parquet files, which DuckDB puts in order on this machine; a small
one comes as texts, each of which stands for a value.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from healthpipe.cancellation import cancel_on_stop, raise_if_cancelled
from healthpipe.choices import Format
from healthpipe.engines.athena.schema import Types
from healthpipe.engines.base import Row
from healthpipe.engines.database import connect, translate_error
from healthpipe.engines.duckdb import STREAMED_ROWS
from healthpipe.engines.ordering import DeferredOrder
from healthpipe.engines.sql import ATHENA
from healthpipe.errors import ServiceFailed

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import DatumTypeDef, GetQueryResultsOutputTypeDef

PARTS = "rows_found"


class ResultParts:
    """The rows of a query in local Parquet files, put in order; without any file there are none.

    `types` are those of all columns, sort keys included.
    """

    def __init__(
        self, scratch: Path, result: DeferredOrder, types: Types, paths: Sequence[Path]
    ) -> None:
        self._scratch = scratch
        self._query = result.sorted_rows(PARTS)
        self._parts = _parts_query(types, len(paths))
        self._paths = [str(path) for path in paths]

    def rows(self) -> Iterator[Row]:
        """The rows in order, one by one."""
        with self._connection() as connection:
            found = connection.execute(self._query)
            while batch := found.fetchmany(STREAMED_ROWS):
                raise_if_cancelled()
                yield from batch

    def write(self, path: Path, options: str) -> int:
        """Write the rows in order to a new file; returns their number.

        `options` are those of DuckDB's COPY.
        """
        with self._connection() as connection:
            copy = f"copy ({self._query}) to $1 ({options}, use_tmp_file false)"
            row = connection.execute(copy, [str(path)]).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A database with the parts as a view, whose queries end when the work is cancelled."""
        with connect(self._scratch) as connection, cancel_on_stop(connection.interrupt):
            try:
                if self._paths:
                    connection.execute("set variable parts = $1", [self._paths])
                connection.execute(f"create temp view {PARTS} as {self._parts}")
                yield connection
            except duckdb.Error as error:
                raise_if_cancelled()
                if isinstance(error, duckdb.IOException):
                    raise ServiceFailed(
                        "DuckDB could not put a result in order on this machine",
                        "check the disk's free space and permissions, then run again",
                    ) from error
                raise translate_error(error) from error


def _parts_query(types: Types, files: int) -> str:
    """The query for DuckDB that reads the parts; without files one of these types without rows."""
    if files:
        return (
            "select * from read_parquet(getvariable('parts'), hive_partitioning = false,"
            " union_by_name = false)"
        )
    columns = ", ".join(f'cast(null as {kind}) as "{name}"' for name, kind in types.items())
    return f"select {columns} where false"


_PARSERS: dict[str, Callable[[str], Any]] = {
    "BIGINT": int,
    "INTEGER": int,
    "HUGEINT": int,
    "DOUBLE": float,
    "BOOLEAN": lambda text: text == "true",
    "VARCHAR": str,
    "DATE": datetime.date.fromisoformat,
}
_DECIMAL = "DECIMAL"


def have_text_form(types: Types) -> bool:
    """Whether GetQueryResults returns values of these types as texts: not lists and bytes."""
    return all(kind in _PARSERS or kind.startswith(_DECIMAL) for kind in types.values())


def result_rows(pages: "Iterable[GetQueryResultsOutputTypeDef]", types: Types) -> Iterator[Row]:
    """Parse the rows of a SELECT, whose first page begins with the names of the columns."""
    parsers = [Decimal if kind.startswith(_DECIMAL) else _PARSERS[kind] for kind in types.values()]
    rows = (row for page in pages for row in page["ResultSet"]["Rows"])
    next(rows, None)
    for row in rows:
        cells = zip(parsers, row["Data"], strict=True)
        yield tuple(_value(parse, datum) for parse, datum in cells)


def _value(parse: Callable[[str], Any], datum: "DatumTypeDef") -> Any:
    """Parse a cell: NULL has no text; an empty text is one."""
    text = datum.get("VarCharValue")
    return None if text is None else parse(text)


# NDJSON means a result of one text column, each row as it is and LF.
# https://docs.aws.amazon.com/athena/latest/ug/unload.html
UNLOAD_PROPERTIES = {
    Format.PARQUET: "format = 'PARQUET', compression = 'ZSTD'",
    Format.NDJSON: "format = 'TEXTFILE', compression = 'NONE'",
}


def unload_statement(query: str, uri: str, fmt: Format) -> str:
    """The UNLOAD statement of a query to files in the folder `uri`, which has to be empty."""
    target = exp.Literal.string(f"{uri}/").sql(ATHENA)
    return f"UNLOAD ({query}) TO {target} WITH ({UNLOAD_PROPERTIES[fmt]})"
