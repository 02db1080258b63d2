"""The queries of the SQL files: given their values as typed literals, and written for an engine."""

from collections.abc import Mapping
from functools import cache, lru_cache

from sqlglot import exp

from healthpipe.contract import CONSTANTS
from healthpipe.engines.literals import constant, constant_rows, literal
from healthpipe.engines.query import Constants, Query, Relation, Value
from healthpipe.engines.sql_files import ATHENA, SOURCE, column_names, functions, parsed, query_of

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
