"""The columns of a Parquet file on S3, of which only the end is read.

Types of columns: as DuckDB names them, as Trino writes them in SQL, and as Glue keeps them.

The same relations without rows, in the embedded engine: it tells the types of every result.

So they are known before a query runs and without a file, which a result without rows lacks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from healthpipe.aws.errors import translated_errors
from healthpipe.aws.session import AwsAccess, client
from healthpipe.engines.base import LineFile, Relation
from healthpipe.engines.duckdb import DuckDBEngine
from healthpipe.engines.sql import ATHENA
from healthpipe.storage.uris import split_s3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Enough for the footer of most files; of the others it is read a second time.
TAIL_BYTES = 1 << 16
# The last bytes of a Parquet file: the length of its footer, then four letters.
ENDING_BYTES = 8


def fetch_footer(access: AwsAccess, uri: str, path: Path) -> None:
    """Make `path` a file of the size of the Parquet file at `uri` that has its footer alone.

    Where it has no footer the file says so to whoever reads it. The rest is a hole, which takes no
    room on the disk.
    """
    s3 = client("s3", access)
    with translated_errors("s3:GetObject", uri):
        tail, size = _tail(s3, access, uri, TAIL_BYTES)
        footer = int.from_bytes(tail[-ENDING_BYTES:-4], "little") + ENDING_BYTES
        if len(tail) < footer <= size:
            tail, size = _tail(s3, access, uri, footer)
    with path.open("wb") as file:
        file.seek(size - len(tail))
        file.write(tail)


def _tail(s3: "S3Client", access: AwsAccess, uri: str, length: int) -> tuple[bytes, int]:
    """The last bytes of an object, and its size."""
    bucket, key = split_s3(uri)
    asked: Any = {"Bucket": bucket, "Key": key}
    if access.bucket_owner:
        asked["ExpectedBucketOwner"] = access.bucket_owner
    answer = s3.get_object(Range=f"bytes=-{length}", **asked)
    content = answer["Body"].read()
    return content, int(answer["ContentRange"].rpartition("/")[2])


# In DuckDB's order of columns: the name of each, and its type as DuckDB writes it.
Types = Mapping[str, str]

# DuckDB's sums of whole numbers; Trino knows no such type.
_HUGE, _WIDE = "HUGEINT", "DECIMAL(38,0)"


def trino_type(duckdb_type: str) -> str:
    """A type in Trino's SQL: `ARRAY(ROW(kind VARCHAR))`."""
    return _built(duckdb_type).sql(ATHENA)


def glue_type(duckdb_type: str) -> str:
    """A type as Hive writes it, in lower case: `array<struct<kind:string>>`."""
    text = _built(duckdb_type).sql("hive").lower()
    return text.replace("`", "").replace(": ", ":").replace(", ", ",")


def _built(duckdb_type: str) -> exp.DataType:
    return exp.DataType.build(duckdb_type.replace(_HUGE, _WIDE), dialect="duckdb")


def cast_to(text: str, types: Types) -> str:
    """A query's columns `types` alone, each of exactly its type."""
    columns = ", ".join(
        f'CAST("result"."{name}" AS {trino_type(kind)}) AS "{name}"' for name, kind in types.items()
    )
    return f'SELECT {columns} FROM ({text}) AS "result"'


def empty_query(types: Types) -> str:
    """A query of columns without rows."""
    columns = ", ".join(
        f'CAST(NULL AS {trino_type(kind)}) AS "{name}"' for name, kind in types.items()
    )
    return f"SELECT {columns} WHERE FALSE"


NO_LINES, NO_ROWS = "no-lines.jsonl", "no-rows-{}.parquet"


class SchemaEngine:
    """Knows the relations that an engine elsewhere knows. It writes small files to `scratch`."""

    def __init__(self, scratch: Path) -> None:
        self._engine = DuckDBEngine(scratch, lambda paths: [Path(path) for path in paths])
        self._scratch = scratch

    def read_lines(self) -> None:
        """Make the relation `source`."""
        nothing = self._scratch / NO_LINES
        nothing.touch()
        self._engine.read_lines([LineFile(str(nothing), "", None, landed=False, size=0)])

    def read_table(self, name: str, schema: Path) -> None:
        """Make the relation `name` as the footer of a Parquet file describes it."""
        nothing = self._scratch / NO_ROWS.format(name)
        self._engine.write_schema(schema, nothing)
        self._engine.read_table(name, [str(nothing)])

    def define(self, name: str, relation: Relation) -> None:
        """Give a name to a query."""
        self._engine.define(name, relation)

    def materialize(self, name: str, relation: Relation) -> None:
        """Give a name to what a query finds."""
        self._engine.materialize(name, relation)

    def types(self, query: str) -> Types:
        """The types of the columns of a query in DuckDB's dialect."""
        return self._engine.types(query)

    def close(self) -> None:
        """Give back memory."""
        self._engine.close()
