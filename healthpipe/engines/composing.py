"""One statement out of many: the definitions that a query needs, before it, as `WITH`.

Athena keeps no relation from one statement to the next, but for tables.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from healthpipe.engines.sql import KEPT_TEXTS
from healthpipe.engines.sql_files import ATHENA
from healthpipe.errors import UsageError

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
