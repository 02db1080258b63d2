"""Results that come in no order, with what is needed to put them in the order of their query."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from healthpipe.engines.base import Constants, Query, Relation
from healthpipe.engines.sql import (
    named_select,
    order_of,
    selected_names,
    spreadsheet_safe,
    statement,
)

DUCKDB = "duckdb"
KEY = "sort_key_{}"


@dataclass(frozen=True)
class DeferredOrder:
    """A query without its order, but with all that it takes: its own `columns` and, as further
    columns, the `keys` that are not among them.
    """

    relation: Relation
    columns: tuple[str, ...]
    order: tuple[exp.Ordered, ...]
    keys: Mapping[str, exp.Expr]

    def text(self, dialect: str) -> str:
        """The query for the engine that speaks `dialect`."""
        return statement(without_order(self.relation), dialect, self.keys)

    def sorted_rows(self, rows: str) -> str:
        """The query for DuckDB that puts `rows`, the name of what was found, in order.

        Rows that the order leaves equal come by their columns: the same rows in the same order
        always. Athena knows no `position`.
        """
        ties = [exp.Ordered(this=exp.column(name, quoted=True)) for name in self.columns]
        tree = (
            exp.select(*(exp.column(name, quoted=True) for name in self.columns))
            .from_(rows)
            .order_by(*self.order, *ties)
        )
        if isinstance(self.relation, Query) and self.relation.is_spreadsheet_safe:
            return spreadsheet_safe(tree, DUCKDB)
        return tree.sql(DUCKDB)


def without_order(relation: Relation) -> Relation:
    """A query whose rows come in any order, but for one that asks for the first of them."""
    if isinstance(relation, Constants):
        return relation
    return replace(relation, is_ordered=relation.limit is not None, is_spreadsheet_safe=False)


def defer_order(relation: Relation) -> DeferredOrder:
    """A query without its order, even where its rows are said to lie in order: in Athena none do.

    Its texts are not made safe for spreadsheets: they would sort otherwise.
    """
    columns = selected_names(relation)
    if isinstance(relation, Constants):
        return DeferredOrder(relation, columns, (), {})
    order: list[exp.Ordered] = []
    keys: dict[str, exp.Expr] = {}
    for ordered in order_of(relation):
        name = named_select(relation, ordered.this)
        if name not in columns:
            name = KEY.format(len(keys) + 1)
            keys[name] = ordered.this.copy()
        order.append(exp.Ordered(**ordered.args | {"this": exp.column(name, quoted=True)}))
    return DeferredOrder(relation, columns, tuple(order), keys)
