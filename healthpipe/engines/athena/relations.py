"""One statement out of many: the definitions that a query needs, before it, as `WITH`.

Athena keeps no relation from one statement to the next, but for tables.

The relations of an attempt: definitions that are composed into statements, and tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from healthpipe.engines.athena.glue import LINES, PARQUET, RAW, ROWS, Serde, Table, table_name
from healthpipe.engines.athena.schema import Types, empty_query, glue_type
from healthpipe.engines.sql import ATHENA, KEPT_TEXTS, athena_source
from healthpipe.errors import UsageError
from healthpipe.storage.base import Storage

# Athena's limit to the text of a query.
MAX_STATEMENT_BYTES = 262_144


def compose(definitions: Mapping[str, str], tables: Mapping[str, str], query: str) -> str:
    """The statement of a query over definitions and tables, with those definitions that it needs.

    `definitions` are texts in Athena's dialect by name, each reading tables and those before it
    in the mapping, whatever their own common table expressions are called. `tables` are the
    identifiers, quoted where need be, of those names that are tables: `"healthpipe"."raw_1"`.
    A name stands in one of the two. Raises `LookupError` for a name that is in neither, and
    `UsageError` for a statement that is longer than Athena takes.
    """
    needed = _needed(definitions, tables, query)
    common = [(name, _placed(definitions[name], tables)) for name in definitions if name in needed]
    own, body = _split(_placed(query, tables))
    if clash := needed & {name for name, _ in own}:
        raise LookupError(f"{', '.join(clash)} is a definition and an expression of the query")
    heads = [f"{name} AS ({text})" for name, text in (*common, *own)]
    return _within_limit(f"WITH {', '.join(heads)} {body}" if heads else body)


def _needed(
    definitions: Mapping[str, str], tables: Mapping[str, str], query: str
) -> frozenset[str]:
    places = {name: place for place, name in enumerate(definitions)}
    needed: set[str] = set()
    texts = [(query, len(places))]
    while texts:
        text, before = texts.pop()
        for name in _reads(text) - tables.keys():
            if places.get(name, before) >= before:
                raise LookupError(f"nothing defines {name} before it is read")
            if name not in needed:
                needed.add(name)
                texts.append((definitions[name], places[name]))
    return frozenset(needed)


@lru_cache(KEPT_TEXTS)
def _reads(text: str) -> frozenset[str]:
    """The names that a query reads from outside itself."""
    return frozenset(table.name for table in _outer_tables(_parsed(text)))


def _placed(text: str, tables: Mapping[str, str]) -> str:
    """The text with the identifiers of tables; each keeps its name as its alias."""
    used = sorted((name, tables[name]) for name in _reads(text) & tables.keys())
    return _replaced(text, tuple(used)) if used else text


@lru_cache(KEPT_TEXTS)
def _split(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The common table expressions of a query by name, and the rest of it.

    They stand beside the definitions: Athena takes no `WITH` after a `WITH`, and a subquery would
    lose the order of its rows.
    """
    tree = _parsed(text).copy()
    assert isinstance(tree, exp.Query)
    own = tuple((cte.alias, cte.this.sql(ATHENA)) for cte in tree.ctes)
    tree.set("with_", None)
    return own, tree.sql(ATHENA)


@lru_cache(KEPT_TEXTS)
def _replaced(text: str, tables: tuple[tuple[str, str], ...]) -> str:
    tree = _parsed(text).copy()
    identifiers = dict(tables)
    for table in list(_outer_tables(tree)):
        if table.name in identifiers:
            physical = exp.to_table(identifiers[table.name], dialect=ATHENA)
            table.replace(exp.alias_(physical, table.alias_or_name, table=True))
    return tree.sql(ATHENA)


def _outer_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    for scope in traverse_scope(tree):
        for source in scope.sources.values():
            if isinstance(source, exp.Table):
                yield source


@lru_cache(KEPT_TEXTS)
def _parsed(text: str) -> exp.Expr:
    return sqlglot.parse_one(text, dialect=ATHENA)


def _within_limit(statement: str) -> str:
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
            self.define(name, empty_query({**kept, POSITION: "BIGINT"}))

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
            {column: glue_type(type_) for column, type_ in types.items()},
            serde,
        )
        if not self._made:
            self.catalog.ensure_database()
        self._made.append(table.name)
        self.catalog.put(table, files, self.storage, folder)
        self._identifiers[name] = self.catalog.identifier(table.name)
