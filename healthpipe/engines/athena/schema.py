"""Types of columns in DuckDB, Trino and Glue, and the types of every result before it is computed.

The embedded engine has the same relations without rows, and tells the types of each query's
columns. So they are known without a file, which a result without rows lacks. Of a Parquet file on
S3 only the footer is read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from healthpipe.aws.errors import translated_errors
from healthpipe.aws.session import AwsAccess, client
from healthpipe.choices import Format
from healthpipe.engines.base import LineFile, Relation, SegmentRows
from healthpipe.engines.duckdb import DuckDBEngine
from healthpipe.engines.sql import ATHENA
from healthpipe.storage import split_s3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Enough for the footer of most files; for the others a second request reads it whole.
TAIL_BYTES = 1 << 16
# A Parquet file ends with the length of its footer in 4 bytes, little-endian, and `PAR1`:
# https://parquet.apache.org/docs/file-format/
TRAILER_BYTES = 8


def fetch_footer(access: AwsAccess, uri: str, path: Path) -> None:
    """Write a file of the size of the Parquet file at `uri`, with its footer and a hole before it.

    The hole takes no room on the disk. Of a file without a footer no reader accepts the copy.
    """
    s3 = client("s3", access)
    with translated_errors("s3:GetObject", uri):
        tail, size = _read_tail(s3, access, uri, TAIL_BYTES)
        footer = int.from_bytes(tail[-TRAILER_BYTES:-4], "little") + TRAILER_BYTES
        if len(tail) < footer <= size:
            tail, size = _read_tail(s3, access, uri, footer)
    with path.open("wb") as file:
        file.seek(size - len(tail))
        file.write(tail)


def _read_tail(s3: "S3Client", access: AwsAccess, uri: str, length: int) -> tuple[bytes, int]:
    """Read the last `length` bytes of an object; returns them and its size."""
    bucket, key = split_s3(uri)
    request: Any = {"Bucket": bucket, "Key": key}
    if access.bucket_owner:
        request["ExpectedBucketOwner"] = access.bucket_owner
    answer = s3.get_object(Range=f"bytes=-{length}", **request)
    content = answer["Body"].read()
    return content, int(answer["ContentRange"].rpartition("/")[2])


# Columns in order: the name of each, and its type as DuckDB writes it.
Types = Mapping[str, str]

# The type of DuckDB's sums of integers, which Trino does not know.
_HUGEINT, _HUGEINT_AS_DECIMAL = "HUGEINT", "DECIMAL(38,0)"


def trino_type(duckdb_type: str) -> str:
    """A type in Trino's SQL, such as `ARRAY(ROW(kind VARCHAR))`."""
    return _data_type(duckdb_type).sql(ATHENA)


def glue_type(duckdb_type: str) -> str:
    """A type in Glue, which is Hive's in lower case, such as `array<struct<kind:string>>`."""
    text = _data_type(duckdb_type).sql("hive").lower()
    return text.replace("`", "").replace(": ", ":").replace(", ", ",")


def _data_type(duckdb_type: str) -> exp.DataType:
    return exp.DataType.build(duckdb_type.replace(_HUGEINT, _HUGEINT_AS_DECIMAL), dialect="duckdb")


def cast_to(text: str, types: Types) -> str:
    """The query of the columns `types` of a query alone, each cast to exactly its type."""
    columns = ", ".join(
        f'CAST("result"."{name}" AS {trino_type(kind)}) AS "{name}"' for name, kind in types.items()
    )
    return f'SELECT {columns} FROM ({text}) AS "result"'


def empty_query(types: Types) -> str:
    """A query with columns of these types and without rows."""
    columns = ", ".join(
        f'CAST(NULL AS {trino_type(kind)}) AS "{name}"' for name, kind in types.items()
    )
    return f"SELECT {columns} WHERE FALSE"


NO_LINES, NO_ROWS = "no-lines.jsonl", "no-rows-{}.parquet"


class SchemaEngine:
    """The embedded engine with another engine's relations, without rows: it knows their types.

    It writes small files to the local folder `scratch`.
    """

    def __init__(self, scratch: Path) -> None:
        self._engine = DuckDBEngine(scratch, lambda paths: [Path(path) for path in paths])
        self._scratch = scratch

    def read_lines(self) -> None:
        """Make the relation `source` from no lines."""
        empty = self._scratch / NO_LINES
        empty.touch()
        self._engine.read_lines([LineFile(str(empty), "", None, landed=False, size=0)])

    def read_table(self, name: str, schema: Path) -> None:
        """Make the relation `name` with the columns of a local Parquet file, without its rows."""
        empty = self._scratch / NO_ROWS.format(name)
        self._engine.write_schema(schema, empty)
        self._engine.read_table(name, [str(empty)])

    def read_segment(self, name: str, schema: Path) -> None:
        """Make the relation `name` with the columns of a segment's Parquet, without its rows."""
        empty = self._scratch / NO_ROWS.format(name)
        self._engine.write_schema(schema, empty)
        self._engine.read_segments(name, [SegmentRows("", (str(empty),), ())])

    def write(self, relation: Relation, path: Path) -> None:
        """Write a result, which has no rows, as a Parquet file."""
        self._engine.write(relation, path, Format.PARQUET)

    def define(self, name: str, relation: Relation) -> None:
        """Define a relation by a query, as `Engine.define` does."""
        self._engine.define(name, relation)

    def materialize(self, name: str, relation: Relation) -> None:
        """Define a relation by a query, as `Engine.materialize` does."""
        self._engine.materialize(name, relation)

    def types(self, query: str) -> Types:
        """The types of the columns of a query in DuckDB's dialect; it is not run."""
        return self._engine.types(query)

    def close(self) -> None:
        """Free the memory."""
        self._engine.close()
