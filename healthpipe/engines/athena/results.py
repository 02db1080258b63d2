"""The files of an UNLOAD on this machine: read, put in order, and written as one file.

What is known of each raw file, as a Parquet file that a query joins with the lines.

Small results as GetQueryResults gives them: texts that become the values that they stand for.

The statement that has Athena write a result to S3.
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
from healthpipe.engines.base import LineFile, Row
from healthpipe.engines.duckdb import STREAMED_ROWS, connect
from healthpipe.engines.ordering import DeferredOrder
from healthpipe.engines.sql import ATHENA
from healthpipe.errors import ServiceFailed

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import DatumTypeDef, GetQueryResultsOutputTypeDef

FOUND = "rows_found"


class ResultParts:
    """Reads local Parquet files with the rows of a query; without any there are none.

    `types` are those of all columns, keys to sort by included.
    """

    def __init__(
        self, scratch: Path, result: DeferredOrder, types: Types, paths: Sequence[Path]
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
                raise_if_cancelled()
                yield from batch

    def write(self, path: Path, options: str) -> int:
        """Write the rows in order to a new file, and return how many they are."""
        with self._connection() as connection:
            copy = f"copy ({self._query}) to $1 ({options}, use_tmp_file false)"
            row = connection.execute(copy, [str(path)]).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with connect(self._scratch) as connection, cancel_on_stop(connection.interrupt):
            try:
                if self._paths:
                    connection.execute("set variable parts = $1", [self._paths])
                connection.execute(f"create temp view {FOUND} as {self._found}")
                yield connection
            except duckdb.Error as error:
                raise_if_cancelled()
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


_OF_TYPE: dict[str, Callable[[str], Any]] = {
    "BIGINT": int,
    "INTEGER": int,
    "HUGEINT": int,
    "DOUBLE": float,
    "BOOLEAN": lambda text: text == "true",
    "VARCHAR": str,
    "DATE": datetime.date.fromisoformat,
}
_DECIMAL = "DECIMAL"


def are_told_as_text(types: Types) -> bool:
    """Whether a text stands for each value of these types: that of lists and bytes does not."""
    return all(kind in _OF_TYPE or kind.startswith(_DECIMAL) for kind in types.values())


def result_rows(pages: "Iterable[GetQueryResultsOutputTypeDef]", types: Types) -> Iterator[Row]:
    """The rows of a SELECT, whose first page begins with the names of the columns."""
    read = [Decimal if kind.startswith(_DECIMAL) else _OF_TYPE[kind] for kind in types.values()]
    rows = (row for page in pages for row in page["ResultSet"]["Rows"])
    next(rows, None)
    for row in rows:
        cells = zip(read, row["Data"], strict=True)
        yield tuple(_value(convert, datum) for convert, datum in cells)


def _value(convert: Callable[[str], Any], datum: "DatumTypeDef") -> Any:
    """NULL is no text; an empty text is one."""
    text = datum.get("VarCharValue")
    return None if text is None else convert(text)


# NDJSON stands for a result of one text column, each row as it is and LF.
PROPERTIES = {
    Format.PARQUET: "format = 'PARQUET', compression = 'ZSTD'",
    Format.NDJSON: "format = 'TEXTFILE', compression = 'NONE'",
}


def unload_statement(query: str, uri: str, fmt: Format) -> str:
    """The UNLOAD of a query's result to files in the folder `uri`, which has to be empty."""
    target = exp.Literal.string(f"{uri}/").sql(ATHENA)
    return f"UNLOAD ({query}) TO {target} WITH ({PROPERTIES[fmt]})"
