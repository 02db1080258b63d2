"""Tables in Glue's catalog over explicit lists of files on S3, made through Glue's API alone.

The names of an attempt's tables in Glue, by which others find them when it is dead.
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

# A symlink table reads the files that its manifest lists, and no other.
SYMLINKS = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
MANIFEST = "manifest"
MAX_DELETED = 100

Found = TypeVar("Found")


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
    """A table: its name, its columns with Glue's types, how its files are read, and notes on it."""

    name: str
    columns: Mapping[str, str]
    serde: Serde
    notes: Mapping[str, str] = field(default_factory=dict)

    def described(self, location: str) -> dict[str, Any]:
        """As Glue takes it, with its manifest in the folder `location`."""
        return {
            "Name": self.name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", **self.serde.table_parameters, **self.notes},
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
        """The database of these settings, which need not be there."""
        return cls(client("glue", settings.access), settings.database)

    def ensure_database(self) -> None:
        """Make the database if it is not there; others may do so at the same time."""
        with self._told("GetDatabase"):
            if self._unless("EntityNotFoundException", self._get_database):
                return
        with self._told("CreateDatabase"):
            self._unless("AlreadyExistsException", self._create_database)

    def put(self, table: Table, files: Sequence[str], storage: Storage, folder: str) -> None:
        """Make a table of files, or one of that name read them, with its manifest in a folder.

        A query that runs meanwhile reads the old files or the new ones: the folder is to be new
        for other files.
        """
        storage.write(f"{folder}/{MANIFEST}", "".join(f"{uri}\n" for uri in files).encode())
        described: Any = table.described(f"{folder}/")

        def create() -> object:
            return self.glue.create_table(DatabaseName=self.database, TableInput=described)

        with self._told("CreateTable", table.name):
            if self._unless("AlreadyExistsException", create):
                return
        with self._told("UpdateTable", table.name):
            self.glue.update_table(
                DatabaseName=self.database, TableInput=described, SkipArchive=True
            )

    def notes(self, name: str) -> Mapping[str, str] | None:
        """The notes on a table; None where there is none."""

        def get() -> Mapping[str, str]:
            table = self.glue.get_table(DatabaseName=self.database, Name=name)["Table"]
            return table.get("Parameters") or {}

        with self._told("GetTable", name):
            return self._unless("EntityNotFoundException", get)

    def names(self, prefix: str) -> list[str]:
        """The names of the tables that begin so; none where the database is not there."""

        def get() -> list[str]:
            pages = self.glue.get_paginator("get_tables").paginate(
                DatabaseName=self.database, Expression=f"{prefix}*"
            )
            tables = (table["Name"] for page in pages for table in page["TableList"])
            return [name for name in tables if name.startswith(prefix)]

        with self._told("GetTables"):
            return self._unless("EntityNotFoundException", get) or []

    def drop(self, names: Sequence[str]) -> None:
        """Remove tables, those that are there."""
        for start in range(0, len(names), MAX_DELETED):
            with self._told("BatchDeleteTable"):
                self.glue.batch_delete_table(
                    DatabaseName=self.database,
                    TablesToDelete=list(names[start : start + MAX_DELETED]),
                )

    def identifier(self, name: str) -> str:
        """A table as it stands in SQL."""
        return f'"{self.database}"."{name}"'

    def _get_database(self) -> object:
        return self.glue.get_database(Name=self.database)

    def _create_database(self) -> object:
        return self.glue.create_database(DatabaseInput={"Name": self.database})

    @contextmanager
    def _told(self, action: str, table: str | None = None) -> Iterator[None]:
        where = f"{self.database}.{table}" if table else f"database {self.database}"
        with translated_errors(f"glue:{action}", where):
            yield

    def _unless(self, code: str, call: Callable[[], Found]) -> Found | None:
        """What a call gives, or None where Glue answers with this error."""
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
    """`raw_20261121t074824z_abc123_curate_1_2_source`: the attempt's second, of a relation."""
    return f"{kind}_{_part(token)}_{number}_{relation}"


def drop_tables(settings: AthenaSettings, run_id: str) -> None:
    """Drop what the attempts of a run have left in Glue. Nobody may be running it.

    Raises `UsageError` or `ServiceFailed`.
    """
    catalog = Catalog.of(settings)
    for kind in (RAW, ROWS):
        catalog.drop(catalog.names(f"{kind}_{_part(run_id)}_"))


def _part(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text.lower())
