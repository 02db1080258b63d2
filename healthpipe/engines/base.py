"""What an engine is asked: the queries of `sql/` by name. Light: it reads none of them.

What the stages need of an engine, and no more.
"""

import datetime
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from healthpipe.choices import Format
from healthpipe.storage.base import Storage

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


Row = tuple[Any, ...]


@dataclass(frozen=True)
class LineFile:
    """A file of newline-delimited records as an engine reads it.

    `path` is where its lines lie, `source` the name it has in results. In a `landed` file a
    line that ingest set aside stands as base64, U+0001, reason.
    """

    path: str
    source: str
    folder_date: date | None
    landed: bool
    size: int


class LinesRefused(Exception):
    """The engine's reader cannot read these files where they lie; they have to be landed."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(f"{len(paths)} files refused by the reader")
        self.paths = frozenset(paths)


class QueryLog(Protocol):
    """Keeps which queries of an attempt were started, so that somebody else can end them."""

    def started(self, query_id: str, token: str) -> None:
        """A query was started. Called before anybody waits for it."""

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """A query ended, in one of Athena's states."""

    def scanned(self) -> int:
        """The bytes that the queries of the run have scanned, as far as they ended."""


class NullQueryLog:
    """For an engine on this machine, whose queries end with it."""

    def started(self, query_id: str, token: str) -> None:
        """Nobody else could end it."""

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Nobody waits for it."""

    def scanned(self) -> int:
        """Nothing that is billed."""
        return 0


@dataclass(frozen=True)
class EngineContext:
    """Where an engine works for one attempt at a step: in `scratch`, a folder of this machine, and
    below `uri`, a place in the run of this attempt alone.

    `storage` keeps what has a URI. `token` names run, step and attempt. `patience_s` is how long a
    query is waited for before the step is to be called again; None for as long as it takes.
    """

    scratch: Path
    uri: str
    storage: Storage
    token: str = ""
    journal: QueryLog = field(default_factory=NullQueryLog)
    patience_s: float | None = None


class Engine(ABC):
    """Runs the project's SQL over named relations. Not shared between threads, but for `cancel`."""

    name: ClassVar[str]

    @abstractmethod
    def read_lines(self, files: Sequence[LineFile]) -> None:
        """Make the relation `source` from the lines of `files`, in their order."""

    @abstractmethod
    def read_table(self, name: str, paths: Sequence[str]) -> None:
        """Make the relation `name` from Parquet files; `position` counts their rows."""

    @abstractmethod
    def define(self, name: str, relation: Relation) -> None:
        """Give a name to a query that is run anew wherever it is used."""

    @abstractmethod
    def materialize(self, name: str, relation: Relation) -> None:
        """Run a query once and keep its rows under a name; `position` counts them.

        Raises `LinesRefused` where the query reads lines and files cannot be read.
        """

    @abstractmethod
    def rows(self, relation: Relation) -> list[Row]:
        """The rows of a small result."""

    @abstractmethod
    def stream(self, relation: Relation) -> Iterator[Row]:
        """The rows of a result of any size, one by one; nothing else may run until the last."""

    @abstractmethod
    def write(self, relation: Relation, path: Path, fmt: Format) -> int:
        """Write a result to a new local file and return its number of rows."""

    @abstractmethod
    def write_lines(self, relation: Relation, path: Path) -> int:
        """Write a result of one text column, each row as it is and LF; return its rows."""

    @abstractmethod
    def unload(self, relation: Relation, uri: str, fmt: Format) -> list[str] | None:
        """Have a result written where the engine computes, to files in the empty folder `uri`.

        `NDJSON` means a result of one text column, each row as it is and LF. Returns the files'
        URIs in no particular order; None of an engine that computes on this machine.
        """

    @abstractmethod
    def progress(self) -> float | None:
        """How far the running query is, from 0 to 1, where the engine knows. Any thread."""

    @abstractmethod
    def cancel(self) -> None:
        """Stop the running query, which then raises. Any thread."""

    @abstractmethod
    def close(self) -> None:
        """Give back memory and files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
