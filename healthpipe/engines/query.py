"""What an engine is asked: the queries of `sql/` by name. Light: it reads none of them."""

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

# Of regular expressions what RE2 (DuckDB) and Java (Athena) read alike, and no character that
# means anything in SQL.
_SAFE_PATTERN = re.compile(r"(?:[A-Za-z0-9 _.:/\-\[\](){},*+?|^]|\\[.d\-])+")


@dataclass(frozen=True)
class IdPattern:
    """A regular expression for whole ids, of a closed alphabet. Raises `ValueError`."""

    text: str

    def __post_init__(self) -> None:
        if not _SAFE_PATTERN.fullmatch(self.text) or "(?" in self.text:
            raise ValueError("it has characters that are not allowed")
        try:
            re.compile(self.text)
        except re.error as error:
            raise ValueError(str(error)) from error

    def __str__(self) -> str:
        return self.text

    @property
    def whole(self) -> str:
        """The expression for a text that is an id and nothing more."""
        return rf"^(?:{self.text})\z"


Value = datetime.date | bool | int | StrEnum | IdPattern | Sequence[StrEnum]


@dataclass(frozen=True)
class Query:
    """The statement of `sql/<name>.sql` with values for its placeholders, all of it or a part.

    `column` is the one column wanted, `dropped` are those that are not, `limit` is the most
    rows. `is_spreadsheet_safe`: texts that a
    spreadsheet would run as formulas are defused, and every column is a text.
    """

    name: str
    values: Mapping[str, Value] = field(default_factory=dict, hash=False)
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
    """A small relation of words from the contract, or of digests: never text of the data."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Relation = Query | Constants
