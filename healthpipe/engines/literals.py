"""Values as literals of SQL."""

import datetime
from enum import StrEnum

from sqlglot import exp

from healthpipe.contract import Constant
from healthpipe.engines.query import Constants, IdPattern, Value


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
