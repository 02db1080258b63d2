"""The queries of `sql/`: parsed once, given their values, and written in an engine's dialect.

Values become typed literals of the syntax tree. No text of a user or of the data becomes SQL.
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
from healthpipe.engines.base import Constants, IdPattern, Query, Relation, Value, WordPattern

# sqlglot's names of the engines' dialects, which are those of their folders, too.
ATHENA, DUCKDB = "athena", "duckdb"
FUNCTIONS = "functions"
SOURCE = "source"


@dataclass(frozen=True)
class Column:
    """A column of a query's result, as a comment in the query's file documents it:
    `-- TYPE: meaning`.
    """

    name: str
    type: str
    meaning: str


def sql_folder() -> Path:
    """The folder of the SQL files: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "sql"
    return installed if installed.is_dir() else package.parent / "sql"


def adapter_text(engine: str, name: str) -> str:
    """The text of an engine's own file `sql/<engine>/<name>.sql`."""
    return (sql_folder() / engine / f"{name}.sql").read_text(encoding="utf-8")


@cache
def parse_file(name: str) -> exp.Expr:
    """Parse `sql/<name>.sql`, which is in Athena's dialect. The tree must not be changed."""
    text = (sql_folder() / f"{name}.sql").read_text(encoding="utf-8")
    return sqlglot.parse_one(text, dialect=ATHENA)


def query_tree(name: str) -> exp.Query:
    """The tree of the query `sql/<name>.sql`. It must not be changed."""
    tree = parse_file(name)
    assert isinstance(tree, exp.Query)
    return tree


@cache
def function_files() -> Mapping[str, str]:
    """The project's SQL functions by name, each with the name of the file that defines it."""
    folder = sql_folder()
    files = {path.stem: f"{ATHENA}/{path.stem}" for path in (folder / ATHENA).glob("*.sql")}
    files |= {path.stem: f"{FUNCTIONS}/{path.stem}" for path in (folder / FUNCTIONS).glob("*.sql")}
    files.pop(SOURCE, None)
    return files


def column_names(name: str) -> tuple[str, ...]:
    """The names of the columns of `sql/<name>.sql`."""
    return tuple(query_tree(name).named_selects)


def summary(name: str) -> str:
    """What a row of `sql/<name>.sql` is, by the comment at the top of the file."""
    tree = query_tree(name)
    return _comment(tree) or _comment(tree.find(exp.With) or tree)


def columns(name: str) -> list[Column]:
    """The columns of `sql/<name>.sql`, as the file documents them."""
    parts = ((s.alias_or_name, *_comment(s).partition(": ")) for s in query_tree(name).selects)
    return [Column(column, type_, meaning) for column, type_, _, meaning in parts]


def _comment(node: exp.Expr) -> str:
    """The comment of a node as one line of text."""
    return " ".join(" ".join(node.comments or ()).split())


# A run asks for the same text several times, and making one costs more than a small query.
CACHED_TEXTS = 256


def statement(relation: Relation, dialect: str, keys: Mapping[str, exp.Expr] | None = None) -> str:
    """The text of a query in the dialect of an engine.

    `keys` are further columns by name, which are not among its own.
    """
    if isinstance(relation, Constants):
        return _constants_query(relation).sql(dialect, copy=False)
    if keys:
        return _text(relation, dialect, keys)
    return _text_without_keys(relation, dialect)


@cache
def athena_source() -> str:
    """The query of Athena's adapter, which makes `source` from `raw_lines` and `raw_files`."""
    return _bind(_expand(parse_file(f"{ATHENA}/{SOURCE}")), {}).sql(ATHENA, comments=False)


def spreadsheet_safe(tree: exp.Query, dialect: str) -> str:
    """The text of a query whose columns become texts that no spreadsheet runs as formulas."""
    return _bind(_expand(_spreadsheet_safe(tree)), {}).sql(dialect)


def literal(value: Value) -> exp.Expr:
    """The typed literal of a date, a boolean, an integer, words from closed lists or a pattern.

    Raises `TypeError` for a plain string.
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
        case IdPattern() | WordPattern():
            return exp.Literal.string(value.anchored)
        case str():
            raise TypeError("only words from a closed list become SQL, not text")
        case _:
            return exp.Array(expressions=[literal(item) for item in value])


def _contract_literal(value: Constant) -> exp.Expr:
    """The literal of a number or of words that the contract fixes."""
    match value:
        case int():
            return exp.Literal.number(value)
        case str():
            return exp.Literal.string(value)
        case _:
            return exp.Array(expressions=[exp.Literal.string(word) for word in value])


def _constants_query(relation: Constants) -> exp.Expr:
    """The query of a small relation of constants."""
    if not relation.rows:
        nulls = (exp.cast(exp.null(), "varchar").as_(name) for name in relation.columns)
        return exp.select(*nulls).where(exp.false())
    rows = [tuple(str(cell) for cell in row) for row in relation.rows]
    return exp.select("*").from_(exp.values(rows, alias="constants", columns=relation.columns))


@lru_cache(CACHED_TEXTS)
def _text_without_keys(relation: Query, dialect: str) -> str:
    return _text(relation, dialect, {})


def _text(relation: Query, dialect: str, keys: Mapping[str, exp.Expr]) -> str:
    tree = query_tree(relation.name).copy()
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


def _expand(tree: exp.Expr) -> exp.Expr:
    """Replace each call of a project's function by the body of its file; `:value` is its argument.

    Athena has no user-defined functions in SQL.
    """

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Anonymous) or node.name not in function_files():
            return node
        (argument,) = node.expressions
        body = parse_file(function_files()[node.name])
        return _fill(body, {"value": argument}).transform(replace)

    return tree.transform(replace)


def _bind(tree: exp.Expr, values: Mapping[str, Value]) -> exp.Expr:
    """Fill in the values and the contract's constants. Raises `LookupError` if one is missing."""
    constants = {name: _contract_literal(value) for name, value in CONSTANTS.items()}
    bound = _fill(tree, constants | {name: literal(value) for name, value in values.items()})
    unbound = {node.name for node in bound.find_all(exp.Placeholder)}
    if unbound:
        raise LookupError(f"no value for {', '.join(sorted(unbound))}")
    return bound


def _fill(tree: exp.Expr, expressions: Mapping[str, exp.Expr]) -> exp.Expr:
    """A copy of a tree with expressions in the place of placeholders, by their names."""

    def replace(node: exp.Expr) -> exp.Expr:
        found = expressions.get(node.name) if isinstance(node, exp.Placeholder) else None
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
