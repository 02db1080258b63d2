"""Queries without their ORDER BY, and with the sort keys that put their rows in order later.

Athena writes the rows of a result in no order; DuckDB sorts them on this machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from healthpipe.engines.base import Constants, Query, Relation
from healthpipe.engines.sql import DUCKDB, column_names, query_tree, spreadsheet_safe, statement

KEY = "sort_key_{}"


@dataclass(frozen=True)
class DeferredOrder:
    """A query without its order, and what the order takes.

    Its result has the query's own `columns` and, as further columns, those sort `keys` that are
    not among them, by name. `order` sorts by columns of the result.
    """

    relation: Relation
    columns: tuple[str, ...]
    order: tuple[exp.Ordered, ...]
    keys: Mapping[str, exp.Expr]

    def text(self, dialect: str) -> str:
        """The unordered query in the dialect of an engine."""
        return statement(without_order(self.relation), dialect, self.keys)

    def sorted_rows(self, table: str) -> str:
        """The query for DuckDB that returns the rows of `table`, the unordered result, in order.

        Rows that the order leaves equal are sorted by their columns: the same rows always come in
        the same order. Athena knows no `position`.
        """
        ties = [exp.Ordered(this=exp.column(name, quoted=True)) for name in self.columns]
        tree = (
            exp.select(*(exp.column(name, quoted=True) for name in self.columns))
            .from_(table)
            .order_by(*self.order, *ties)
        )
        if isinstance(self.relation, Query) and self.relation.is_spreadsheet_safe:
            return spreadsheet_safe(tree, DUCKDB)
        return tree.sql(DUCKDB)


def without_order(relation: Relation) -> Relation:
    """A query without its order, unless it asks for the first of its rows."""
    if isinstance(relation, Constants):
        return relation
    return replace(relation, is_ordered=relation.limit is not None, is_spreadsheet_safe=False)


def defer_order(relation: Relation) -> DeferredOrder:
    """Separate a query from its order, and from one that its rows are said to be stored in.

    In Athena none are. Texts are not made safe for spreadsheets here: they would sort otherwise.
    """
    columns = _selected_columns(relation)
    if isinstance(relation, Constants):
        return DeferredOrder(relation, columns, (), {})
    order: list[exp.Ordered] = []
    keys: dict[str, exp.Expr] = {}
    for ordered in _order_by(relation):
        name = _column_of(relation, ordered.this)
        if name not in columns:
            name = KEY.format(len(keys) + 1)
            keys[name] = ordered.this.copy()
        order.append(exp.Ordered(**ordered.args | {"this": exp.column(name, quoted=True)}))
    return DeferredOrder(relation, columns, tuple(order), keys)


def _selected_columns(relation: Relation) -> tuple[str, ...]:
    """The names of the columns of a relation."""
    if isinstance(relation, Constants):
        return relation.columns
    if relation.column:
        return (relation.column,)
    return tuple(name for name in column_names(relation.name) if name not in relation.dropped)


def _order_by(relation: Query) -> list[exp.Ordered]:
    """The items of a query's ORDER BY, with the expressions of its SELECT instead of aliases."""
    tree = query_tree(relation.name)
    order = tree.args.get("order")
    selects = {select.alias_or_name: select.unalias() for select in tree.selects}
    items = [item.copy() for item in order.expressions] if order else []
    for item in items:
        key = item.this
        # A plain name is that of a column of the result first.
        if isinstance(key, exp.Column) and not key.table and key.name in selects:
            item.set("this", selects[key.name].copy())
    return items


def _column_of(relation: Query, expression: exp.Expr) -> str | None:
    """The name of the column of a query's file that is this expression, if one is."""
    selects = query_tree(relation.name).selects
    return next((each.alias_or_name for each in selects if each.unalias() == expression), None)
