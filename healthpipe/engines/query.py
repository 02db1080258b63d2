"""What an engine is asked: the queries of `sql/` by name. Light: it reads none of them."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

Value = datetime.date | bool | int | StrEnum | Sequence[StrEnum]


@dataclass(frozen=True)
class Query:
    """The statement of `sql/<name>.sql` with values for its placeholders, all of it or a part.

    `column` is the one column wanted, `dropped` are those that are not, `limit` is the most
    rows. `is_spreadsheet_safe`: texts that a
    spreadsheet would run as formulas are defused, and every column is a text.
    """

    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    is_ordered: bool = True
    column: str | None = None
    dropped: frozenset[str] = frozenset()
    limit: int | None = None
    is_spreadsheet_safe: bool = False

    def unordered(self) -> "Query":
        """The same without its ORDER BY, for rows that lie in that order already."""
        return replace(self, is_ordered=False)

    def only(self, column: str) -> "Query":
        """The same rows with one of their columns."""
        return replace(self, column=column)

    def without(self, columns: Iterable[str]) -> "Query":
        """The same rows without these columns, which then cost nothing."""
        return replace(self, dropped=frozenset(columns))

    def spreadsheet_safe(self) -> "Query":
        """The same rows as texts that no spreadsheet takes for a formula."""
        return replace(self, is_spreadsheet_safe=True)


@dataclass(frozen=True)
class Constants:
    """A small relation of words from the contract."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Relation = Query | Constants
