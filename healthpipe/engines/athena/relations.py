"""The relations of an attempt on Athena: tables in Glue, and definitions composed into statements.

Athena keeps no relation from one statement to the next but tables. So a statement begins with the
definitions that its query needs, as common table expressions (`WITH`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from healthpipe.engines.athena.glue import LINES, PARQUET, RAW, ROWS, Serde, Table, table_name
from healthpipe.engines.athena.schema import Types, empty_query, glue_type
from healthpipe.engines.base import LineFile, SegmentRows
from healthpipe.engines.sql import ATHENA, CACHED_TEXTS, athena_source
from healthpipe.errors import UsageError
from healthpipe.storage.base import Storage

# The longest text of a query: https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
MAX_STATEMENT_BYTES = 262_144


def compose(definitions: Mapping[str, str], tables: Mapping[str, str], query: str) -> str:
    """Compose the statement of a query with the definitions that it needs.

    `definitions` are texts in Athena's dialect by name, each reading tables and those before it
    in the mapping, whatever their own common table expressions are called. `tables` are the
    identifiers, quoted where need be, of those names that are tables: `"healthpipe"."raw_1"`.
    No name is in both. Raises `LookupError` for a name that is in neither, and `UsageError` for a
    statement that is longer than Athena takes.
    """
    needed = _needed_definitions(definitions, tables, query)
    common = [
        (name, _with_identifiers(definitions[name], tables))
        for name in definitions
        if name in needed
    ]
    own, body = _split_with(_with_identifiers(query, tables))
    if clash := needed & {name for name, _ in own}:
        raise LookupError(f"{', '.join(clash)} is a definition and an expression of the query")
    heads = [f"{name} AS ({text})" for name, text in (*common, *own)]
    return _require_within_limit(f"WITH {', '.join(heads)} {body}" if heads else body)


def _needed_definitions(
    definitions: Mapping[str, str], tables: Mapping[str, str], query: str
) -> frozenset[str]:
    """The names of the definitions that a query reads, directly or through others."""
    positions = {name: position for position, name in enumerate(definitions)}
    needed: set[str] = set()
    texts = [(query, len(positions))]
    while texts:
        text, before = texts.pop()
        for name in _tables_read(text) - tables.keys():
            if positions.get(name, before) >= before:
                raise LookupError(f"nothing defines {name} before it is read")
            if name not in needed:
                needed.add(name)
                texts.append((definitions[name], positions[name]))
    return frozenset(needed)


@lru_cache(CACHED_TEXTS)
def _tables_read(text: str) -> frozenset[str]:
    """The names that a query reads from outside itself."""
    return frozenset(table.name for table in _outer_tables(_parsed(text)))


def _with_identifiers(text: str, tables: Mapping[str, str]) -> str:
    """The text with tables' identifiers in place of their names, which become their aliases."""
    used = sorted((name, tables[name]) for name in _tables_read(text) & tables.keys())
    return _replace_tables(text, tuple(used)) if used else text


@lru_cache(CACHED_TEXTS)
def _split_with(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Split a query into its common table expressions by name, and the rest of it.

    They are put beside the definitions: Athena takes no `WITH` after a `WITH`, and a subquery
    would lose the order of its rows.
    """
    tree = _parsed(text).copy()
    assert isinstance(tree, exp.Query)
    own = tuple((cte.alias, cte.this.sql(ATHENA)) for cte in tree.ctes)
    tree.set("with_", None)
    return own, tree.sql(ATHENA)


@lru_cache(CACHED_TEXTS)
def _replace_tables(text: str, tables: tuple[tuple[str, str], ...]) -> str:
    tree = _parsed(text).copy()
    identifiers = dict(tables)
    for table in list(_outer_tables(tree)):
        if table.name in identifiers:
            physical = exp.to_table(identifiers[table.name], dialect=ATHENA)
            table.replace(exp.alias_(physical, table.alias_or_name, table=True))
    return tree.sql(ATHENA)


def _outer_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """The nodes of a tree that name tables from outside it."""
    for scope in traverse_scope(tree):
        for source in scope.sources.values():
            if isinstance(source, exp.Table):
                yield source


@lru_cache(CACHED_TEXTS)
def _parsed(text: str) -> exp.Expr:
    return sqlglot.parse_one(text, dialect=ATHENA)


def _require_within_limit(statement: str) -> str:
    size = len(statement.encode())
    if size > MAX_STATEMENT_BYTES:
        raise UsageError(
            f"the query has {size:,} bytes, and Athena takes {MAX_STATEMENT_BYTES:,}",
            "give fewer values, or use --engine duckdb",
        )
    return statement


POSITION = "position"
RAW_LINES, RAW_FILES = "raw_lines", "raw_files"
LINE_TYPES = {"line": "VARCHAR", "rest": "VARCHAR"}
# DuckDB numbers rows by their place in a file; Athena's rows have no place.
NO_POSITION = f"CAST(NULL AS BIGINT) AS {POSITION}"


FILE_TYPES = {
    "path": "VARCHAR",
    "file_number": "BIGINT",
    "source": "VARCHAR",
    "folder_date": "DATE",
    "landed": "BOOLEAN",
}


def describe_files(files: Sequence[LineFile], path: Path) -> None:
    """Write a Parquet file with a row for each raw file, which a query joins with the lines.

    As literals ten thousand files would not fit in a statement.
    """
    columns = (
        [file.path for file in files],
        list(range(1, len(files) + 1)),
        [file.source for file in files],
        [file.folder_date for file in files],
        [file.landed for file in files],
    )
    _write_parquet(FILE_TYPES, columns, path)


def _write_parquet(types: Types, columns: Sequence[Sequence[Any]], path: Path) -> None:
    """Write a Parquet file with columns of these types, given as a list of values each."""
    selected = ", ".join(
        f"unnest(${number}::{kind}[]) as {name}"
        for number, (name, kind) in enumerate(types.items(), start=1)
    )
    copy = f"copy (select {selected}) to ${len(types) + 1} (format parquet)"
    with duckdb.connect() as connection:
        connection.execute(copy, [*columns, str(path)])


SEGMENT_FILE_TYPES = {
    "folder": "VARCHAR",
    "file_number": "BIGINT",
    "read_number": "BIGINT",
    "source": "VARCHAR",
    "folder_date": "DATE",
}


def describe_segments(segments: Sequence[SegmentRows], path: Path) -> None:
    """Write a Parquet file with a row for each file that is read of segments."""
    held = [
        (segment.folder, number, file)
        for segment in segments
        for number, file in enumerate(segment.files, start=1)
        if file
    ]
    columns = (
        [folder for folder, *_ in held],
        [number for _, number, _ in held],
        list(range(1, len(held) + 1)),
        [file.source for *_, file in held],
        [file.folder_date for *_, file in held],
    )
    _write_parquet(SEGMENT_FILE_TYPES, columns, path)


# Columns of the relation that the Parquet files of segments do not have.
ADDED = ("source", "snapshot_date", "read_number", POSITION)
# Joins the rows of segments with the source and the folder date of their input files. A row without
# a file number is kept, under the path of its Parquet file, so that no line is lost silently.
READ_SEGMENTS = """
    SELECT
        COALESCE(files.source, held."$path") AS source,
        COALESCE(held.recorded_date, files.folder_date) AS snapshot_date,
        files.read_number,
        {columns},
        {no_position}
    FROM {name}_rows AS held
    LEFT JOIN {name}_files AS files
        ON files.folder = REGEXP_EXTRACT(held."$path", '^(.*/curated/[^/]+)/', 1)
        AND files.file_number = held.file_number
    WHERE files.source IS NOT NULL OR held.file_number IS NULL
"""


class Tables(Protocol):
    """Creates and drops tables: Glue's `Catalog`, or one that only records them."""

    def ensure_database(self) -> None:
        """Create the database if it does not exist."""

    def put(self, table: Table, files: Sequence[str], storage: Storage, folder: str) -> None:
        """Create a table over files, with its manifest in a folder."""

    def drop(self, names: Sequence[str]) -> None:
        """Drop tables."""

    def identifier(self, name: str) -> str:
        """The quoted identifier of a table in SQL."""


@dataclass
class Relations:
    """The relations of one attempt by name.

    Their tables are in `catalog` and have their manifests in subfolders of the s3:// URI `folder`.
    `token` names the attempt. Whoever calls an attempt again has to call these methods in the same
    order: then names, folders and so the queries' texts are the same, and the queries that the
    attempt has started are found again.
    """

    catalog: Tables
    storage: Storage
    folder: str
    token: str
    _definitions: dict[str, str] = field(default_factory=dict)
    _identifiers: dict[str, str] = field(default_factory=dict)
    _tables: list[str] = field(default_factory=list)
    _last_number: int = 0

    def statement(self, query: str) -> str:
        """The statement of a query, with all definitions that it needs: see `compose`."""
        return compose(self._definitions, self._identifiers, query)

    def reads_lines(self, text: str) -> bool:
        """Whether a statement reads the table of raw lines."""
        return RAW_LINES in self._identifiers and self._identifiers[RAW_LINES] in text

    def define(self, name: str, query: str) -> None:
        """Define a relation by the text of a query in Athena's dialect."""
        self._definitions[name] = query

    def read_lines(self, paths: Sequence[str], files: str, types: Types) -> None:
        """Make the relation `source` from the lines of the files `paths`.

        `files` is the URI of the Parquet file that `describe_files` wrote for them, `types` are
        the types of its columns.
        """
        self._create_table(RAW_LINES, LINE_TYPES, paths, LINES, RAW)
        self._create_table(RAW_FILES, types, [files], PARQUET, RAW)
        self.define("source", athena_source())

    def read_parquet(self, name: str, types: Types, files: Sequence[str]) -> None:
        """Make the relation `name` from Parquet files with columns of these types.

        Its `position` is NULL.
        """
        kept = {column: kind for column, kind in types.items() if column != POSITION}
        if files:
            self._create_table(f"{name}_rows", kept, files, PARQUET, ROWS)
            columns = ", ".join(f'"{column}"' for column in kept)
            self.define(name, f"SELECT {columns}, {NO_POSITION} FROM {name}_rows")
        else:
            self.define(name, empty_query({**kept, POSITION: "BIGINT"}))

    def read_segments(self, name: str, types: Types, paths: Sequence[str], files: str) -> None:
        """Make the relation `name`, with columns of these types, from the Parquet of segments.

        `files` is the URI of the Parquet file that `describe_segments` wrote for them. Its
        `position` is NULL.
        """
        kept = {column: kind for column, kind in types.items() if column not in ADDED}
        self._create_table(f"{name}_rows", kept, paths, PARQUET, ROWS)
        self._create_table(f"{name}_files", SEGMENT_FILE_TYPES, [files], PARQUET, ROWS)
        columns = ", ".join(f'held."{column}"' for column in kept)
        text = READ_SEGMENTS.format(name=name, columns=columns, no_position=NO_POSITION)
        self.define(name, text)

    def next_folder(self, name: str) -> str:
        """The URI of an unused folder; the same when the attempt is called again."""
        self._last_number += 1
        return f"{self.folder}/{self._last_number}-{name}"

    def drop(self) -> None:
        """Drop the attempt's tables."""
        self.catalog.drop(self._tables)
        self._tables.clear()

    def _create_table(
        self, name: str, types: Types, files: Sequence[str], serde: Serde, kind: str
    ) -> None:
        folder = self.next_folder(name)
        table = Table(
            table_name(kind, self.token, self._last_number, name),
            {column: glue_type(type_) for column, type_ in types.items()},
            serde,
        )
        if not self._tables:
            self.catalog.ensure_database()
        self._tables.append(table.name)
        self.catalog.put(table, files, self.storage, folder)
        self._identifiers[name] = self.catalog.identifier(table.name)
