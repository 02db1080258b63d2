"""The SQL files: found, given their values as typed literals, and written for an engine."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

import sqlglot
from sqlglot import exp

from healthpipe.contract import CONSTANTS, RULES

Value = datetime.date | bool | int | StrEnum | Sequence[StrEnum]


@dataclass(frozen=True)
class Query:
    """The statement of `sql/<name>.sql` with the values of its placeholders."""

    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    is_ordered: bool = True

    def unordered(self) -> "Query":
        """The same without its ORDER BY, for rows that lie in that order already."""
        return replace(self, is_ordered=False)


@dataclass(frozen=True)
class Constants:
    """A small relation of words from the contract."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Relation = Query | Constants

RULE_LIST = Constants(
    ("reason", "severity", "field"), tuple((r.reason, r.severity, r.field) for r in RULES)
)


def sql_folder() -> Path:
    """Where the SQL lies: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "sql"
    return installed if installed.is_dir() else package.parent / "sql"


def statement(relation: Relation, dialect: str) -> str:
    """The text of a query written in Athena's dialect, for the engine that speaks `dialect`."""
    if isinstance(relation, Constants):
        return _constant_rows(relation).sql(dialect)
    tree = _bind(_parse(relation.name), relation.values)
    if not relation.is_ordered:
        tree.set("order", None)
    return tree.sql(dialect)


def adapter_text(engine: str, name: str) -> str:
    """The text of an engine's own `sql/<engine>/<name>.sql`, as it stands."""
    return (sql_folder() / engine / f"{name}.sql").read_text(encoding="utf-8")


@cache
def _parse(name: str) -> exp.Expr:
    text = (sql_folder() / f"{name}.sql").read_text(encoding="utf-8")
    return sqlglot.parse_one(text, dialect="athena")


def _bind(tree: exp.Expr, values: Mapping[str, Value]) -> exp.Expr:
    known = {name: _constant(value) for name, value in CONSTANTS.items()}
    known |= {name: literal(value) for name, value in values.items()}

    def replace(node: exp.Expr) -> exp.Expr:
        return known[node.name].copy() if isinstance(node, exp.Placeholder) else node

    return tree.copy().transform(replace, copy=False)


def literal(value: Value) -> exp.Expr:
    """A value as a typed literal: a day, a truth, a whole number, words from closed lists.

    A plain string has no literal: no text of a user or of the data ever becomes SQL.
    """
    match value:
        case bool():
            return exp.Boolean(this=value)
        case datetime.date():
            return exp.cast(exp.Literal.string(value.isoformat()), "date")
        case int():
            return exp.Literal.number(value)
        case StrEnum():
            return exp.Literal.string(value.value)
        case str():
            raise TypeError("only words from a closed list become SQL, not text")
        case _:
            return exp.Array(expressions=[literal(item) for item in value])


def _constant(value: str | list[str]) -> exp.Expr:
    if isinstance(value, str):
        return exp.Literal.string(value)
    return exp.Array(expressions=[exp.Literal.string(word) for word in value])


def _constant_rows(relation: Constants) -> exp.Expr:
    rows = [tuple(str(cell) for cell in row) for row in relation.rows]
    return exp.select("*").from_(exp.values(rows, alias="constants", columns=relation.columns))
