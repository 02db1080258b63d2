"""An engine of the stages whose queries run on a real Trino, over tables in Glue and files in S3.

It is what the engine for Athena does, without AWS's ways of starting and waiting for a query.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import count
from pathlib import Path

import boto3
import duckdb

from healthpipe.engines.athena.relations import (
    NO_POSITION,
    POSITION,
    READ_SEGMENTS,
    SEGMENT_FILE_TYPES,
    compose,
    describe_segments,
)
from healthpipe.engines.athena.schema import glue_type
from healthpipe.engines.base import Relation, SegmentRows
from healthpipe.engines.sql import athena_source, column_names, statement
from tests.support.trino_server import REGION, TrinoServer

BUCKET, DATABASE = "trino-tests", "healthpipe"
SYMLINKS = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
LINES_SERDE = {
    "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    "Parameters": {
        "field.delim": "\x01",
        # No line holds a line end, so no text is taken for NULL.
        "serialization.null.format": "\nNULL",
        "serialization.last.column.takes.rest": "true",
    },
}
PARQUET_SERDE = {
    "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
}
LINES_COLUMNS = (("line", "string"), ("rest", "string"))
FILES_COLUMNS = (
    ("path", "string"),
    ("file_number", "bigint"),
    ("source", "string"),
    ("folder_date", "date"),
    ("landed", "boolean"),
)
FILES_QUERY = """
    select
        unnest($1::varchar[]) as path, unnest($2::bigint[]) as file_number,
        unnest($3::varchar[]) as source, unnest($4::date[]) as folder_date,
        unnest($5::boolean[]) as landed
"""
NUMBERS = count(1)


@dataclass(frozen=True)
class RawFile:
    """Lines as they are put into a file on S3, under the name `key`."""

    key: str
    source: str
    content: bytes
    folder_date: date | None = None
    landed: bool = False


@dataclass
class Tables:
    """S3 and Glue at an endpoint, with an empty bucket and a database."""

    endpoint: str
    s3: object = field(init=False)
    glue: object = field(init=False)

    def __post_init__(self) -> None:
        given = {
            "endpoint_url": self.endpoint,
            "region_name": REGION,
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing",
        }
        self.s3, self.glue = boto3.client("s3", **given), boto3.client("glue", **given)
        self.s3.create_bucket(Bucket=BUCKET)
        self.glue.create_database(DatabaseInput={"Name": DATABASE})

    def put(self, key: str, content: bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"s3://{BUCKET}/{key}"

    def symlinked(self, uris: Sequence[str], columns: Sequence[tuple], serde: dict) -> str:
        """A table over exactly these files; returns its identifier."""
        name = f"table_{next(NUMBERS)}"
        manifest = self.put(f"{name}/manifest", "".join(f"{uri}\n" for uri in uris).encode())
        described = {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns],
            "Location": manifest.removesuffix("manifest"),
            "InputFormat": SYMLINKS,
            "OutputFormat": OUTPUT,
            "SerdeInfo": serde,
        }
        self.glue.create_table(
            DatabaseName=DATABASE,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"EXTERNAL": "TRUE"},
                "StorageDescriptor": described,
            },
        )
        return f'"{DATABASE}"."{name}"'


class TrinoEngine:
    """Definitions and tables for a set of raw files; `scanned` are the bytes its queries read."""

    def __init__(self, server: TrinoServer, tables: Tables) -> None:
        self._connection = server.connection(DATABASE)
        self._tables = tables
        self._definitions: dict[str, str] = {}
        self._identifiers: dict[str, str] = {}
        self.scanned = 0

    def read_lines(self, files: Sequence[RawFile]) -> None:
        uris = [self._tables.put(file.key, file.content) for file in files]
        known = self._files(files, uris)
        self._identifiers["raw_lines"] = self._tables.symlinked(uris, LINES_COLUMNS, LINES_SERDE)
        self._identifiers["raw_files"] = self._tables.symlinked(
            [known], FILES_COLUMNS, PARQUET_SERDE
        )
        self._definitions["source"] = athena_source()

    def read_table(self, name: str, paths: Sequence[str]) -> None:
        """Make `name` the table that an engine has materialized, by its identifier."""
        (self._identifiers[name],) = paths
        self._definitions.pop(name, None)

    def read_segments(self, name: str, segments: Sequence[SegmentRows]) -> None:
        """Make `name` the rows of one segment: its path is the identifier of its table."""
        (segment,) = segments
        (table,) = segment.paths
        folder = f"s3://{BUCKET}/curated/{table.rpartition('.')[2].strip(chr(34))}"
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary, "files.parquet")
            describe_segments([replace(segment, folder=folder)], path)
            known = self._tables.put(f"files_{next(NUMBERS)}/files.parquet", path.read_bytes())
        files = [(column, glue_type(kind)) for column, kind in SEGMENT_FILE_TYPES.items()]
        self._identifiers[f"{name}_rows"] = table
        self._identifiers[f"{name}_files"] = self._tables.symlinked([known], files, PARQUET_SERDE)
        self._identifiers.pop(name, None)
        kept = [each for each in column_names("merged") if each != POSITION]
        columns = ", ".join(f'held."{column}"' for column in kept)
        self._definitions[name] = READ_SEGMENTS.format(
            name=name, columns=columns, no_position=NO_POSITION
        )

    def define(self, name: str, relation: Relation) -> None:
        self._definitions.pop(name, None)
        self._identifiers.pop(name, None)
        self._definitions[name] = statement(relation, "athena")

    def materialize(self, name: str, relation: Relation) -> str:
        """Run a query once, as Parquet with ZSTD; returns the identifier of the table."""
        table = f"table_{next(NUMBERS)}"
        place = f"external_location = 's3://{BUCKET}/curated/{table}/', format = 'PARQUET'"
        query = compose(self._definitions, self._identifiers, statement(relation, "athena"))
        self._run("set session awsdatacatalog.compression_codec = 'ZSTD'")
        self._run(f"create table {DATABASE}.{table} with ({place}) as {query}")
        self.read_table(name, [f'"{DATABASE}"."{table}"'])
        return self._identifiers[name]

    def rows(self, relation: Relation) -> list[tuple]:
        found = self._run(
            compose(self._definitions, self._identifiers, statement(relation, "athena"))
        )
        return [tuple(row) for row in found]

    def _run(self, text: str) -> list[list]:
        cursor = self._connection.cursor().execute(text)
        found = cursor.fetchall()
        self.scanned += cursor.stats["physicalInputBytes"]
        return found

    def _files(self, files: Sequence[RawFile], uris: Sequence[str]) -> str:
        columns = [
            list(uris),
            list(range(1, len(files) + 1)),
            [file.source for file in files],
            [file.folder_date for file in files],
            [file.landed for file in files],
        ]
        with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
            path = f"{folder}/files.parquet"
            connection.execute(f"copy ({FILES_QUERY}) to '{path}' (format parquet)", columns)
            content = Path(path).read_bytes()
        return self._tables.put(f"files_{next(NUMBERS)}/files.parquet", content)
