"""The interface of an engine: it runs the queries of `sql/` over named relations.

A query is asked for by the name of its file and with typed values; this module reads no SQL, so
that it can be imported at no cost.
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
from healthpipe.contract import MAX_NULL_WORD
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
    def anchored(self) -> str:
        """The expression for a text that is an id and nothing more."""
        return rf"^(?:{self.text})\z"


_WORD = re.compile(rf"[A-Z0-9._/?#-](?:[A-Z0-9 ._/?#-]{{0,{MAX_NULL_WORD - 2}}}[A-Z0-9._/?#-])?")


@dataclass(frozen=True)
class WordPattern:
    """A regular expression for words of a closed alphabet, in any case of their ASCII letters.

    Raises `ValueError` for a word in lower case, with other characters, or too long.
    """

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        wrong = [word for word in self.words if not _WORD.fullmatch(word)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} has characters that are not allowed, or too many")

    @property
    def anchored(self) -> str:
        """The expression for a text that is one of the words and nothing more."""
        spelled = ("".join(map(_in_any_case, word)) for word in self.words)
        return rf"^(?:{'|'.join(spelled)})\z"


def _in_any_case(character: str) -> str:
    if character.isalpha():
        return f"[{character}{character.lower()}]"
    return rf"\{character}" if character in ".?" else character


# A value of a placeholder in a query: no free text.
Value = datetime.date | bool | int | StrEnum | IdPattern | WordPattern | Sequence[StrEnum]


@dataclass(frozen=True)
class Query:
    """The query of `sql/<name>.sql` with values for its placeholders, all of it or a part.

    `column` is the one column wanted; `dropped` are columns left out; `limit` is the most rows.
    `is_ordered` keeps its ORDER BY. `is_spreadsheet_safe` makes every column a text, and defuses
    texts that a spreadsheet would run as formulas.
    """

    name: str
    values: Mapping[str, Value] = field(default_factory=dict, hash=False)
    is_ordered: bool = True
    column: str | None = None
    dropped: frozenset[str] = frozenset()
    limit: int | None = None
    is_spreadsheet_safe: bool = False

    def unordered(self) -> "Query":
        """The same query without its ORDER BY, for rows that are in that order already."""
        return replace(self, is_ordered=False)

    def only(self, column: str) -> "Query":
        """The same rows with one of their columns."""
        return replace(self, column=column)

    def without(self, columns: Iterable[str]) -> "Query":
        """The same rows without these columns, which then are not computed."""
        return replace(self, dropped=frozenset(columns))

    def spreadsheet_safe(self) -> "Query":
        """The same rows as texts that no spreadsheet runs as formulas."""
        return replace(self, is_spreadsheet_safe=True)


@dataclass(frozen=True)
class Constants:
    """A small relation of words of the contract, or of digests: never text of the data."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Relation = Query | Constants


Row = tuple[Any, ...]


@dataclass(frozen=True)
class LineFile:
    """A file of newline-delimited records as an engine reads it: `size` bytes at the URI `path`.

    `source` is its name in results, `folder_date` the date of its folder. In a `landed` file,
    which ingest has written, a line that was set aside is base64, U+0001, reason.
    """

    path: str
    source: str
    folder_date: date | None
    landed: bool
    size: int


@dataclass(frozen=True)
class SegmentFile:
    """A file whose lines a segment holds: its name in results, and the date of its folder."""

    source: str
    folder_date: date | None


@dataclass(frozen=True)
class SegmentRows:
    """A curated segment, and which of its input files to read.

    Its Parquet files are `paths`, in `folder`. `files` are the input files whose lines it holds, in
    the order of the column `file_number`, which begins with 1; None for one that is not read.
    """

    folder: str
    paths: tuple[str, ...]
    files: tuple[SegmentFile | None, ...]


class LinesRefused(Exception):
    """The engine's reader cannot read the files `paths` where they are: they have to be landed."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(f"{len(paths)} files refused by the reader")
        self.paths = frozenset(paths)


class QueryLog(Protocol):
    """Records the queries of an attempt, so that another process can stop them."""

    def started(self, query_id: str, token: str) -> None:
        """Record that a query was started with a ClientRequestToken, before it is waited for."""

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Record that a query ended, in one of Athena's final states."""

    def scanned(self) -> int:
        """Return the bytes that the run's queries have scanned, as far as they have ended."""


class NullQueryLog:
    """A `QueryLog` that records nothing: for an engine whose queries end with this process."""

    def started(self, query_id: str, token: str) -> None:
        """Do nothing."""

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Do nothing."""

    def scanned(self) -> int:
        """Return 0: nothing is billed."""
        return 0


@dataclass(frozen=True)
class EngineContext:
    """Where an engine works for one attempt at a step.

    `scratch` is an existing local folder, `uri` a folder in the run of this attempt alone, kept by
    `storage`. Engines of one process that have the same local folder `spill`, by default `scratch`,
    share their memory, and put there what does not fit. `token` identifies run, step and attempt. A
    query that is still running after `wait_limit_s` seconds raises `StillRunning`, and the step is
    called again; None waits for as long as it takes.
    """

    scratch: Path
    uri: str
    storage: Storage
    token: str = ""
    query_log: QueryLog = field(default_factory=NullQueryLog)
    wait_limit_s: float | None = None
    spill: Path | None = None


class Engine(ABC):
    """Runs the project's SQL over named relations. Used by one thread, but for `cancel`.

    A step that is called again for the same attempt has to call the same methods in the same
    order: see `AthenaEngine`. Methods that compute raise `ServiceFailed` where the engine, the
    disk or a service fails, `UsageError` where a service refuses access, `Interrupted` and
    `OutOfTime` where the work is cancelled, and `StillRunning`: see `EngineContext`.
    """

    name: ClassVar[str]
    # Whether the paths of tables may be files of this machine.
    reads_local_files: ClassVar[bool] = False

    @abstractmethod
    def read_lines(self, files: Sequence[LineFile]) -> None:
        """Define the relation `source`: a row for each line of `files`, in their order.

        Its columns are those of `sql/<engine>/source.sql`. The lines are read when a query reads
        them. Raises `LinesRefused` where files are not there or cannot be read.
        """

    @abstractmethod
    def read_table(self, name: str, paths: Sequence[str]) -> None:
        """Define the relation `name` over Parquet files of the same columns, at least one.

        Its column `position` numbers the rows of a file from 0 where the engine can; else NULL.
        """

    @abstractmethod
    def read_segments(self, name: str, segments: Sequence[SegmentRows]) -> None:
        """Define the relation `name` over curated segments, at least one.

        Its columns are those of a segment and `position` as above; `source` and `snapshot_date`,
        which depend on where a file was found; `read_number` counts the files that are read.
        """

    @abstractmethod
    def define(self, name: str, relation: Relation) -> None:
        """Define the relation `name` as a query that is run anew wherever it is used."""

    @abstractmethod
    def materialize(self, name: str, relation: Relation) -> None:
        """Run a query once, and define the relation `name` as its rows.

        Its column `position` numbers the rows from 0 where the engine can; else NULL. Raises
        `LinesRefused` where the query reads lines of files that cannot be read.
        """

    @abstractmethod
    def rows(self, relation: Relation) -> list[Row]:
        """Return the rows of a small result, in the order of its query."""

    @abstractmethod
    def stream(self, relation: Relation) -> Iterator[Row]:
        """Return the rows of a result of any size, one by one, in the order of its query.

        Nothing else may be called until the last row was taken.
        """

    @abstractmethod
    def write(self, relation: Relation, path: Path, fmt: Format) -> int:
        """Write a result, in the order of its query, to a local file; returns its rows.

        An existing file is written in place and keeps its mode.
        """

    @abstractmethod
    def write_table(self, relation: Relation, path: Path) -> int:
        """Write a result, in the order of its query, as a local Parquet file for `read_table`.

        Little memory is needed to read it. Returns the number of rows. An existing file is written
        in place and keeps its mode.
        """

    @abstractmethod
    def write_lines(self, relation: Relation, path: Path) -> int:
        """Write a result of one text column to a local file, each row as it is and LF.

        Returns the number of rows. An existing file is written in place and keeps its mode.
        """

    @abstractmethod
    def unload(self, relation: Relation, uri: str, fmt: Format) -> list[str] | None:
        """Write a result where the engine computes, in any order, to the empty folder `uri`.

        `NDJSON` means a result of one text column, each row as it is and LF. Returns the files'
        URIs in no particular order; None from an engine that computes on this machine, which
        writes nothing.
        """

    @abstractmethod
    def progress(self) -> float | None:
        """Return the progress of the running query from 0 to 1; None if unknown. Any thread."""

    @abstractmethod
    def cancel(self) -> None:
        """Stop the running query, whose method then raises. Any thread, signal handlers too."""

    @abstractmethod
    def close(self) -> None:
        """Free memory and delete the engine's own files. No method may be called afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
