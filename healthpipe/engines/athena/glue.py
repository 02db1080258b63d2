"""Tables in Glue's catalog over explicit lists of files on S3, made through Glue's API alone.

An attempt's tables have names by which others find and drop them when the attempt is dead.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from healthpipe.aws.errors import error_name, translated_errors
from healthpipe.aws.session import AthenaSettings, client
from healthpipe.storage.base import Storage

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

# A symlink table reads the files that the manifest in its location lists, and no others.
SYMLINKS = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
MANIFEST = "manifest"
# The most tables of one request:
# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchDeleteTable.html
BATCH_TABLES = 100

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Serde:
    """How the files of a table are read: a Hive SerDe and its parameters."""

    library: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    table_parameters: Mapping[str, str] = field(default_factory=dict)


# Two columns: a line that holds U+0001 goes on in the second. No line holds a line end, so that
# no text is taken for NULL, `\\N` among them.
LINES = Serde(
    "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    {
        "field.delim": "\x01",
        "serialization.null.format": "\nNULL",
        "serialization.last.column.takes.rest": "true",
    },
)
PARQUET = Serde("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe")
# Nothing is escaped but quotes, by doubling them.
CSV = Serde(
    "org.apache.hadoop.hive.serde2.OpenCSVSerde",
    {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\x01"},
    {"skip.header.line.count": "1"},
)


@dataclass(frozen=True)
class Table:
    """A table: its name, its columns with Glue's types, its SerDe and its own parameters."""

    name: str
    columns: Mapping[str, str]
    serde: Serde
    parameters: Mapping[str, str] = field(default_factory=dict)

    def table_input(self, location: str) -> dict[str, Any]:
        """The TableInput of Glue's API, with the manifest in the folder `location`."""
        return {
            "Name": self.name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", **self.serde.table_parameters, **self.parameters},
            "StorageDescriptor": {
                "Columns": [{"Name": name, "Type": kind} for name, kind in self.columns.items()],
                "Location": location,
                "InputFormat": SYMLINKS,
                "OutputFormat": OUTPUT,
                "SerdeInfo": {
                    "SerializationLibrary": self.serde.library,
                    "Parameters": dict(self.serde.parameters),
                },
            },
        }


@dataclass(frozen=True)
class Catalog:
    """The tables of a database. Failures are `UsageError` or `ServiceFailed`."""

    glue: "GlueClient"
    database: str

    @classmethod
    def of(cls, settings: AthenaSettings) -> "Catalog":
        """Open the database of these settings, which need not exist."""
        return cls(client("glue", settings.access), settings.database)

    def ensure_database(self) -> None:
        """Create the database if it does not exist; others may do so at the same time."""
        with self._translated("GetDatabase"):
            if self._none_on("EntityNotFoundException", self._get_database):
                return
        with self._translated("CreateDatabase"):
            self._none_on("AlreadyExistsException", self._create_database)

    def put(self, table: Table, files: Sequence[str], storage: Storage, folder: str) -> None:
        """Create or update a table over the URIs `files`, with its manifest in a folder.

        For other files the folder has to be a new one: then a query that runs meanwhile reads
        either the old files or the new ones.
        """
        storage.write(f"{folder}/{MANIFEST}", "".join(f"{uri}\n" for uri in files).encode())
        table_input: Any = table.table_input(f"{folder}/")

        def create() -> object:
            return self.glue.create_table(DatabaseName=self.database, TableInput=table_input)

        with self._translated("CreateTable", table.name):
            if self._none_on("AlreadyExistsException", create):
                return
        with self._translated("UpdateTable", table.name):
            self.glue.update_table(
                DatabaseName=self.database, TableInput=table_input, SkipArchive=True
            )

    def table_parameters(self, name: str) -> Mapping[str, str] | None:
        """The parameters of a table; None where there is no such table."""

        def get() -> Mapping[str, str]:
            table = self.glue.get_table(DatabaseName=self.database, Name=name)["Table"]
            return table.get("Parameters") or {}

        with self._translated("GetTable", name):
            return self._none_on("EntityNotFoundException", get)

    def names(self, prefix: str) -> list[str]:
        """The names of the tables that begin with a prefix; none where there is no database."""

        def get() -> list[str]:
            pages = self.glue.get_paginator("get_tables").paginate(
                DatabaseName=self.database, Expression=f"{prefix}*"
            )
            tables = (table["Name"] for page in pages for table in page["TableList"])
            return [name for name in tables if name.startswith(prefix)]

        with self._translated("GetTables"):
            return self._none_on("EntityNotFoundException", get) or []

    def drop(self, names: Sequence[str]) -> None:
        """Drop the tables of these names, where they exist."""
        for start in range(0, len(names), BATCH_TABLES):
            with self._translated("BatchDeleteTable"):
                self.glue.batch_delete_table(
                    DatabaseName=self.database,
                    TablesToDelete=list(names[start : start + BATCH_TABLES]),
                )

    def identifier(self, name: str) -> str:
        """The quoted identifier of a table in SQL, such as `"healthpipe"."raw_1"`."""
        return f'"{self.database}"."{name}"'

    def _get_database(self) -> object:
        return self.glue.get_database(Name=self.database)

    def _create_database(self) -> object:
        return self.glue.create_database(DatabaseInput={"Name": self.database})

    @contextmanager
    def _translated(self, action: str, table: str | None = None) -> Iterator[None]:
        """Translate errors of a Glue action on a table or on the database."""
        where = f"{self.database}.{table}" if table else f"database {self.database}"
        with translated_errors(f"glue:{action}", where):
            yield

    def _none_on(self, code: str, call: Callable[[], Answer]) -> Answer | None:
        """The answer of a call, or None where Glue answers with the error `code`."""
        from botocore.exceptions import ClientError

        try:
            return call()
        except ClientError as error:
            if error_name(error) != code:
                raise
            return None


RAW, ROWS = "raw", "facilities"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def table_name(kind: str, token: str, number: int, relation: str) -> str:
    """The name of an attempt's table: its kind, the attempt's token, a number, the relation.

    For example `raw_20261121t074824z_abc123_curate_1_2_source`.
    """
    return f"{kind}_{_in_name(token)}_{number}_{relation}"


def drop_tables(settings: AthenaSettings, run_id: str) -> None:
    """Drop the tables that the attempts of a run have left in Glue, when it no longer runs.

    Raises `UsageError` or `ServiceFailed`.
    """
    catalog = Catalog.of(settings)
    for kind in (RAW, ROWS):
        catalog.drop(catalog.names(f"{kind}_{_in_name(run_id)}_"))


def _in_name(text: str) -> str:
    """A text with the characters alone that the names of tables may have."""
    return _NOT_IN_NAMES.sub("_", text.lower())
