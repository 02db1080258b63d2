"""Values as literals of SQL.

The SQL files: found, parsed once, and what they tell of their columns.

The queries of the SQL files: given their values as typed literals, and written for an engine.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

import sqlglot
from sqlglot import exp

from healthpipe.contract import CONSTANTS, Constant
from healthpipe.engines.base import Constants, IdPattern, Query, Relation, Value


def literal(value: Value) -> exp.Expr:
    """A value as a typed literal: a day, a truth, a whole number, words from closed lists, a
    pattern of a closed alphabet.

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
        case IdPattern():
            return exp.Literal.string(value.whole)
        case str():
            raise TypeError("only words from a closed list become SQL, not text")
        case _:
            return exp.Array(expressions=[literal(item) for item in value])


def constant(value: Constant) -> exp.Expr:
    """A number or words that the contract fixes."""
    match value:
        case int():
            return exp.Literal.number(value)
        case str():
            return exp.Literal.string(value)
        case _:
            return exp.Array(expressions=[exp.Literal.string(word) for word in value])


def constant_rows(relation: Constants) -> exp.Expr:
    """A small relation as a query."""
    if not relation.rows:
        nothing = (exp.cast(exp.null(), "varchar").as_(name) for name in relation.columns)
        return exp.select(*nothing).where(exp.false())
    rows = [tuple(str(cell) for cell in row) for row in relation.rows]
    return exp.select("*").from_(exp.values(rows, alias="constants", columns=relation.columns))


FUNCTIONS = "functions"
ATHENA = "athena"
SOURCE = "source"


@dataclass(frozen=True)
class Column:
    """A column of a query's result, as the query's file tells it: `-- TYPE: meaning`."""

    name: str
    type: str
    meaning: str


def sql_folder() -> Path:
    """Where the SQL lies: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "sql"
    return installed if installed.is_dir() else package.parent / "sql"


def adapter_text(engine: str, name: str) -> str:
    """The text of an engine's own `sql/<engine>/<name>.sql`, as it stands."""
    return (sql_folder() / engine / f"{name}.sql").read_text(encoding="utf-8")


@cache
def parsed(name: str) -> exp.Expr:
    """The tree of `sql/<name>.sql`, which is in Athena's dialect. Not to be changed."""
    text = (sql_folder() / f"{name}.sql").read_text(encoding="utf-8")
    return sqlglot.parse_one(text, dialect=ATHENA)


def query_of(name: str) -> exp.Query:
    """The tree of a file that is a query. Not to be changed."""
    tree = parsed(name)
    assert isinstance(tree, exp.Query)
    return tree


@cache
def functions() -> Mapping[str, str]:
    """The functions by name, each with the name of its file; Athena's adapter has some more."""
    folder = sql_folder()
    files = {path.stem: f"{ATHENA}/{path.stem}" for path in (folder / ATHENA).glob("*.sql")}
    files |= {path.stem: f"{FUNCTIONS}/{path.stem}" for path in (folder / FUNCTIONS).glob("*.sql")}
    files.pop(SOURCE, None)
    return files


def column_names(name: str) -> tuple[str, ...]:
    """The names of the columns of `sql/<name>.sql`."""
    return tuple(query_of(name).named_selects)


def summary(name: str) -> str:
    """What the file of a query says a row of its result is."""
    tree = query_of(name)
    return _told(tree) or _told(tree.find(exp.With) or tree)


def columns(name: str) -> list[Column]:
    """The columns of `sql/<name>.sql` with what the file says of them."""
    told = ((s.alias_or_name, *_told(s).partition(": ")) for s in query_of(name).selects)
    return [Column(name, type_, meaning) for name, type_, _, meaning in told]


def _told(node: exp.Expr) -> str:
    """The comment of a node as one line of text."""
    return " ".join(" ".join(node.comments or ()).split())


# A run asks for the same text several times, and making one costs more than a small query.
KEPT_TEXTS = 256


def statement(relation: Relation, dialect: str, keys: Mapping[str, exp.Expr] | None = None) -> str:
    """The text of a query written in Athena's dialect, for the engine that speaks `dialect`.

    `keys` are columns that it has besides its own.
    """
    if isinstance(relation, Constants):
        return constant_rows(relation).sql(dialect, copy=False)
    if keys:
        return _text(relation, dialect, keys)
    return _text_without_keys(relation, dialect)


@lru_cache(KEPT_TEXTS)
def _text_without_keys(relation: Query, dialect: str) -> str:
    return _text(relation, dialect, {})


def _text(relation: Query, dialect: str, keys: Mapping[str, exp.Expr]) -> str:
    tree = query_of(relation.name).copy()
    if not relation.is_ordered:
        tree.set("order", None)
    wanted = {relation.column} if relation.column else set(tree.named_selects) - relation.dropped
    kept = [s for s in tree.selects if s.alias_or_name in wanted]
    added = [exp.alias_(key, name) for name, key in keys.items()]
    tree.set("expressions", kept + added)
    if relation.limit is not None:
        tree = tree.limit(relation.limit)
    if relation.is_spreadsheet_safe:
        tree = _spreadsheet_safe(tree)
    return _bind(_expand(tree), relation.values).sql(dialect, comments=False)


def selected_names(relation: Relation) -> tuple[str, ...]:
    """The names of the columns of a relation."""
    if isinstance(relation, Constants):
        return relation.columns
    names = column_names(relation.name)
    if relation.column:
        return (relation.column,)
    return tuple(name for name in names if name not in relation.dropped)


def order_of(relation: Query) -> list[exp.Ordered]:
    """By what a query orders its rows, each key written as in its SELECT."""
    tree = query_of(relation.name)
    order = tree.args.get("order")
    selects = {select.alias_or_name: select.unalias() for select in tree.selects}
    found = [ordered.copy() for ordered in order.expressions] if order else []
    for ordered in found:
        key = ordered.this
        # A plain name is that of a column of the result first.
        if isinstance(key, exp.Column) and not key.table and key.name in selects:
            ordered.set("this", selects[key.name].copy())
    return found


def named_select(relation: Query, key: exp.Expr) -> str | None:
    """The column of a query's file that is this expression, if one is."""
    selects = query_of(relation.name).selects
    return next((each.alias_or_name for each in selects if each.unalias() == key), None)


def spreadsheet_safe(tree: exp.Query, dialect: str) -> str:
    """The text of a query whose columns become texts that no spreadsheet takes for formulas."""
    return _bind(_expand(_spreadsheet_safe(tree)), {}).sql(dialect)


@cache
def athena_source() -> str:
    """The text of Athena's adapter, which makes `source` of `raw_lines` and `raw_files`."""
    return _bind(_expand(parsed(f"{ATHENA}/{SOURCE}")), {}).sql(ATHENA, comments=False)


def _expand(tree: exp.Expr) -> exp.Expr:
    """Put the body of a function's file in the place of each call; `:value` is its argument.

    Athena has no functions of one's own in SQL.
    """

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Anonymous) or node.name not in functions():
            return node
        (argument,) = node.expressions
        return _fill(parsed(functions()[node.name]), {"value": argument}).transform(replace)

    return tree.transform(replace)


def _bind(tree: exp.Expr, values: Mapping[str, Value]) -> exp.Expr:
    known = {name: constant(value) for name, value in CONSTANTS.items()}
    bound = _fill(tree, known | {name: literal(value) for name, value in values.items()})
    unbound = {node.name for node in bound.find_all(exp.Placeholder)}
    if unbound:
        raise LookupError(f"no value for {', '.join(sorted(unbound))}")
    return bound


def _fill(tree: exp.Expr, known: Mapping[str, exp.Expr]) -> exp.Expr:
    def replace(node: exp.Expr) -> exp.Expr:
        found = known.get(node.name) if isinstance(node, exp.Placeholder) else None
        return found.copy() if found else node

    return tree.copy().transform(replace, copy=False)


def _spreadsheet_safe(tree: exp.Query) -> exp.Query:
    rows = tree.subquery("rows_of_result")
    return exp.select(
        *(
            exp.alias_(exp.Anonymous(this="spreadsheet_safe", expressions=[exp.column(name)]), name)
            for name in tree.named_selects
        )
    ).from_(rows)
