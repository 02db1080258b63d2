"""The relations of an attempt: definitions that are composed into statements, and tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from healthpipe.engines.athena.glue import LINES, PARQUET, Serde, Table
from healthpipe.engines.athena.naming import RAW, ROWS, table_name
from healthpipe.engines.athena.types import Types, for_glue, no_rows
from healthpipe.engines.composing import compose
from healthpipe.engines.sql import athena_source
from healthpipe.storage.base import Storage

POSITION = "position"
RAW_LINES, RAW_FILES = "raw_lines", "raw_files"
LINE_TYPES = {"line": "VARCHAR", "rest": "VARCHAR"}
# DuckDB counts rows by their place, Athena has no place to count by.
NO_POSITION = f"CAST(NULL AS BIGINT) AS {POSITION}"


class Tables(Protocol):
    """What makes tables: `Catalog`."""

    def ensure_database(self) -> None:
        """Make the database if it is not there."""

    def put(self, table: Table, files: Sequence[str], storage: Storage, folder: str) -> None:
        """Make a table of files, with its manifest in a folder."""

    def drop(self, names: Sequence[str]) -> None:
        """Remove tables."""

    def identifier(self, name: str) -> str:
        """A table as it stands in SQL."""


@dataclass
class Relations:
    """Relations by name; their tables are in `catalog` and have their manifests below `place`.

    `token` names the attempt. The same steps in the same order give the same names: an attempt
    that is called again goes on with the queries that it had started.
    """

    catalog: Tables
    storage: Storage
    place: str
    token: str
    _definitions: dict[str, str] = field(default_factory=dict)
    _identifiers: dict[str, str] = field(default_factory=dict)
    _made: list[str] = field(default_factory=list)
    _numbers: int = 0

    def statement(self, query: str) -> str:
        """The query with all that it needs."""
        return compose(self._definitions, self._identifiers, query)

    def reads_lines(self, text: str) -> bool:
        """Whether a statement reads raw files."""
        return RAW_LINES in self._identifiers and self._identifiers[RAW_LINES] in text

    def define(self, name: str, query: str) -> None:
        """Give a name to a query."""
        self._definitions[name] = query

    def read_lines(self, paths: Sequence[str], files: str, types: Types) -> None:
        """Make `source` of the lines of `paths` and of a Parquet file that tells of each path."""
        self._put(RAW_LINES, LINE_TYPES, paths, LINES, RAW)
        self._put(RAW_FILES, types, [files], PARQUET, RAW)
        self.define("source", athena_source())

    def read_parquet(self, name: str, types: Types, files: Sequence[str]) -> None:
        """Make `name` of Parquet files, in which its columns but `position` have these types."""
        kept = {column: kind for column, kind in types.items() if column != POSITION}
        if files:
            self._put(f"{name}_rows", kept, files, PARQUET, ROWS)
            columns = ", ".join(f'"{column}"' for column in kept)
            self.define(name, f"SELECT {columns}, {NO_POSITION} FROM {name}_rows")
        else:
            self.define(name, no_rows({**kept, POSITION: "BIGINT"}))

    def next_place(self, name: str) -> str:
        """An empty folder that nobody else uses, but this attempt when it is called again."""
        self._numbers += 1
        return f"{self.place}/{self._numbers}-{name}"

    def drop(self) -> None:
        """Remove the tables."""
        self.catalog.drop(self._made)
        self._made.clear()

    def _put(self, name: str, types: Types, files: Sequence[str], serde: Serde, kind: str) -> None:
        folder = self.next_place(name)
        table = Table(
            table_name(kind, self.token, self._numbers, name),
            {column: for_glue(type_) for column, type_ in types.items()},
            serde,
        )
        if not self._made:
            self.catalog.ensure_database()
        self._made.append(table.name)
        self.catalog.put(table, files, self.storage, folder)
        self._identifiers[name] = self.catalog.identifier(table.name)
