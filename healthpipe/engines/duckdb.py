"""The embedded engine: DuckDB in this process, on local files and on copies of S3 objects.

How it reads raw lines comes first: options of its reader, the view of lines and the adapter's
macros; how many files there are, and how they begin, decides which of two ways is faster.
"""

import glob
import gzip
import itertools
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.choices import Format
from healthpipe.contract import MAX_DEPTH, MAX_LINE_BYTES
from healthpipe.engines.base import Engine, LineFile, LinesRefused, Relation, Row, SegmentRows
from healthpipe.engines.database import connect, translate_error
from healthpipe.engines.sql import DUCKDB, SOURCE, adapter_text, statement
from healthpipe.errors import InputChanged, ObjectMissing
from healthpipe.storage.scratch import Fetch

# No JSON holds these raw control characters, so `line` is the whole line; if they are there all
# the same, `rest` is not NULL. One of them alone would cut lines that end in it.
SEPARATOR = "\x1c\x1d\x1e\x1f"
# The longest line that the reader takes; a file with a longer one is landed.
READER_LINE_BYTES = 16_000_000
READER_BUFFER_BYTES = 2 * READER_LINE_BYTES
# DuckDB's queries work on the lines of one file at a time, which is slow for many small files.
# Below this mean size their lines are gathered in a table first.
SMALL_FILE_BYTES = 500_000
FEW_FILES = 50
READER_OPTIONS = f"""
    columns = {{'line': 'VARCHAR', 'rest': 'VARCHAR'}}, delim = '{SEPARATOR}', quote = '',
    escape = '', new_line = '\\n', header = false, auto_detect = false, strict_mode = false,
    null_padding = true, hive_partitioning = false,
    max_line_size = {READER_LINE_BYTES}, buffer_size = {READER_BUFFER_BYTES}
"""
READ_LINES = f"""
    select line, rest, cast(file_index as bigint) + 1 as file_number
    from read_csv(getvariable('paths'), {READER_OPTIONS})
"""
# The files' names and dates come from lists: a join would lose the order of the lines.
LINES = """
    select
        line, rest, file_number,
        getvariable('sources')[file_number] as source,
        getvariable('folder_dates')[file_number] as folder_date,
        getvariable('landed')[file_number] as landed
    from lines_read
"""
# No join either: files by their numbers in lists of all segments.
READ_SEGMENTS = """
    select
        columns(lambda c: c not in ('position', 'number', 'file_row_number')),
        getvariable('{name}_sources')[number] as source,
        getvariable('{name}_numbers')[number] as read_number,
        coalesce(recorded_date, getvariable('{name}_dates')[number]) as snapshot_date,
        file_row_number as position
    from (
        select
            *,
            getvariable('{name}_offsets')[cast(file_index as bigint) + 1] + file_number as number
        from read_parquet(
            getvariable('{name}_files'), file_row_number = true, hive_partitioning = false
        )
    )
"""
ADAPTER_VARIABLES = {
    "separator": SEPARATOR,
    "max_line_bytes": MAX_LINE_BYTES,
    "max_depth": MAX_DEPTH,
}
# Each uses only those before it.
MACROS = (
    "json_kind",
    "json_field_kind",
    "json_text_kind",
    "json_plain",
    "json_text",
    "json_given",
    "json_outline",
    "json_brackets",
    "json_brackets_kind",
    "json_malformed",
    "json_nesting",
    "json_lenient",
)


def are_scattered(files: Sequence[LineFile]) -> bool:
    """Whether files are so many and small that gathering their lines first is faster."""
    size = sum(file.size for file in files)
    return len(files) > FEW_FILES and size < len(files) * SMALL_FILE_BYTES


SAMPLED_FILES, SAMPLED_BYTES = 4, 1 << 18
# Of lines that are malformed for none of the reasons that are always checked.
FIND_MALFORMED = """
    select
        coalesce(bool_or(contains(line, '\\u')), false),
        coalesce(bool_or(not contains(line, '\\u')), false)
    from (select unnest($1) as line)
    where ends_with(line, '}') and not json_lenient(line) and not json_valid(line)
"""


def first_lines(path: str) -> list[str]:
    """The whole lines in the first `SAMPLED_BYTES` of a file, without bytes that are not UTF-8."""
    open_file = gzip.open if path.lower().endswith(".gz") else open
    try:
        with open_file(path, "rb") as reader:
            return reader.read(SAMPLED_BYTES).decode(errors="ignore").splitlines()[:-1]
    except (OSError, EOFError, zlib.error):  # the engine's reader reports it
        return []


STREAMED_ROWS = 1000

COPY_OPTIONS = {
    Format.PARQUET: "format parquet, compression zstd",
    # RFC 4180: lines end in CR LF. NULL is nothing, an empty text is "".
    Format.CSV: "format csv, header true, new_line '\\r\\n'",
    Format.NDJSON: "format json",
    Format.JSON: "format json, array true",
}
# A thread that reads a Parquet file holds whole columns of a row group in memory. Of lines that is
# 10 MB for the usual ones; by default DuckDB would write eight times as many rows.
# Level 1 of zstd costs a fifth less than the default and gives no more bytes.
TABLE_OPTIONS = f"{COPY_OPTIONS[Format.PARQUET]}, compression_level 1, row_group_size 16384"
LINE_OPTIONS = f"format csv, header false, delimiter '{SEPARATOR}', quote '', escape ''"


class DuckDBEngine(Engine):
    """One connection to the database in memory that spills to the local folder `spill`.

    `fetch` returns local copies of the files that are read.
    """

    name: ClassVar[str] = "duckdb"
    reads_local_files: ClassVar[bool] = True

    def __init__(self, spill: Path, fetch: Fetch) -> None:
        self._connection = connect(spill)
        self._fetch = fetch
        # The local files of lines, each with the URI that it was fetched from.
        self._files: list[tuple[str, str]] = []

    def read_lines(self, files: Sequence[LineFile]) -> None:
        paths = self._fetch_lines([file.path for file in files])
        self._set_variable("paths", [glob.escape(path) for path in paths])
        self._set_variable("sources", [file.source for file in files])
        self._set_variable("landed", [file.landed for file in files])
        dates = [str(file.folder_date) if file.folder_date else None for file in files]
        self._execute("set variable folder_dates = cast($1 as date[])", [dates])
        if are_scattered(files):
            self._execute(f"create or replace temp table lines_gathered as {READ_LINES}")
            self._execute("create or replace temp view lines_read as from lines_gathered")
        else:
            self._execute(f"create or replace temp view lines_read as {READ_LINES}")
        self._execute(f"create or replace temp view lines as {LINES}")
        for name, value in ADAPTER_VARIABLES.items():
            self._set_variable(name, value)
        for macro in MACROS:
            self._execute(adapter_text(DUCKDB, macro))
        self._detect_malformed(paths[:SAMPLED_FILES])
        self._execute(f"create or replace temp view source as {adapter_text(DUCKDB, SOURCE)}")

    def read_table(self, name: str, paths: Sequence[str]) -> None:
        self._set_variable(f"{name}_files", [glob.escape(str(path)) for path in self._fetch(paths)])
        self._execute(
            f"create or replace temp view {name} as"
            " select columns(lambda c: c not in ('position', 'file_row_number')),"
            " file_row_number as position"
            f" from read_parquet(getvariable('{name}_files'), file_row_number = true,"
            " hive_partitioning = false)"
        )

    def read_segments(self, name: str, segments: Sequence[SegmentRows]) -> None:
        files = [file for segment in segments for file in segment.files]
        starts = itertools.accumulate((len(each.files) for each in segments), initial=0)
        parts = zip(segments, starts, strict=False)
        paths = self._fetch([path for segment in segments for path in segment.paths])
        dates = (file.folder_date if file else None for file in files)
        lists = {
            "files": ("varchar", [glob.escape(str(path)) for path in paths]),
            "offsets": ("bigint", [start for segment, start in parts for _ in segment.paths]),
            "numbers": ("bigint", list(itertools.accumulate(map(bool, files)))),
            "sources": ("varchar", [file.source if file else None for file in files]),
            "dates": ("date", [str(date) if date else None for date in dates]),
        }
        for kind, (type_, values) in lists.items():
            # With its type, for an empty list has none.
            self._execute(f"set variable {name}_{kind} = cast($1 as {type_}[])", [values])
        text = READ_SEGMENTS.format(name=name)
        if not all(files):
            text += f" where getvariable('{name}_sources')[number] is not null"
        self._execute(f"create or replace temp view {name} as {text}")

    def define(self, name: str, relation: Relation) -> None:
        self._execute(f"create or replace temp view {name} as {statement(relation, DUCKDB)}")

    def materialize(self, name: str, relation: Relation) -> None:
        query = statement(relation, DUCKDB)
        self._execute(f"create or replace temp table {name}_rows as {query}")
        self._execute(
            f"create or replace temp view {name} as"
            f" select columns(lambda c: c <> 'position'), rowid as position from {name}_rows"
        )

    def rows(self, relation: Relation) -> list[Row]:
        return self._execute(statement(relation, DUCKDB)).fetchall()

    def stream(self, relation: Relation) -> Iterator[Row]:
        result = self._execute(statement(relation, DUCKDB))
        while batch := result.fetchmany(STREAMED_ROWS):
            raise_if_cancelled()
            yield from batch

    def write(self, relation: Relation, path: Path, fmt: Format) -> int:
        return self._copy(relation, path, COPY_OPTIONS[fmt])

    def write_table(self, relation: Relation, path: Path) -> int:
        return self._copy(relation, path, TABLE_OPTIONS)

    def write_lines(self, relation: Relation, path: Path) -> int:
        return self._copy(relation, path, LINE_OPTIONS)

    def unload(self, relation: Relation, uri: str, fmt: Format) -> None:  # noqa: ARG002
        return None

    def types(self, query: str) -> dict[str, str]:
        """The types of the columns of a query in DuckDB's dialect, by name; it is not run."""
        described = self._execute(f"describe {query}").fetchall()
        return {name: kind for name, kind, *_ in described}

    def write_schema(self, source: Path, path: Path) -> None:
        """Write a Parquet file with the columns of `source`, of which only the footer is read."""
        self._execute(
            "copy (select * from read_parquet($1, hive_partitioning = false) limit 0)"
            " to $2 (format parquet)",
            [str(source), str(path)],
        )

    def progress(self) -> float | None:
        try:
            percent = float(self._connection.query_progress())
        except duckdb.ConnectionException:  # closed meanwhile
            return None
        return percent / 100 if percent >= 0 else None

    def cancel(self) -> None:
        with suppress(duckdb.ConnectionException):  # closed meanwhile
            self._connection.interrupt()

    def close(self) -> None:
        self._connection.close()

    def _copy(self, relation: Relation, path: Path, options: str) -> int:
        """Write a result to a file with DuckDB's COPY; returns its rows."""
        query = statement(relation, DUCKDB)
        # Written in place: a file that was made readable by its owner only stays so.
        copy = f"copy ({query}) to $1 ({options}, use_tmp_file false)"
        row = self._execute(copy, [str(path)]).fetchone()
        return int(row[0]) if row else 0

    def _execute(
        self, text: str, parameters: Sequence[Any] | None = None
    ) -> duckdb.DuckDBPyConnection:
        """Run a statement; raises `LinesRefused` with the files of lines that make it fail."""
        try:
            return self._run(text, parameters)
        except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
            raise translate_error(error) from error
        except duckdb.Error as error:
            refused = [uri for path, uri in self._files if not self._is_readable(path)]
            if not refused and "CSV" in str(error):
                refused = [uri for _, uri in self._files]
            if refused:
                raise LinesRefused(refused) from error
            raise translate_error(error) from error

    def _run(self, text: str, parameters: Sequence[Any] | None = None) -> duckdb.DuckDBPyConnection:
        """Run a statement; an interrupted one raises as `raise_if_cancelled` does."""
        raise_if_cancelled()
        try:
            return self._connection.execute(text, parameters)
        except (duckdb.InterruptException, RuntimeError):
            raise_if_cancelled()
            raise

    def _detect_malformed(self, paths: Sequence[str]) -> None:
        """Look for malformed lines at the beginning of files, and set the adapter's variables.

        Where there are any, all lines are checked before they are parsed. This changes the speed
        alone.
        """
        lines = [line for path in paths for line in first_lines(path)]
        found = self._execute(FIND_MALFORMED, [lines]).fetchone() or (False, False)
        self._set_variable("has_wrong_escapes", found[0])
        self._set_variable("has_malformed", found[1])

    def _fetch_lines(self, uris: Sequence[str]) -> list[str]:
        """Fetch the files of lines; returns local paths. Raises `LinesRefused` if some are gone."""
        self._files = []
        try:
            paths = [str(path) for path in self._fetch(uris)]
        except (ObjectMissing, InputChanged) as error:
            raise LinesRefused(uris) from error
        self._files = list(zip(paths, uris, strict=True))
        return paths

    def _set_variable(self, variable: str, value: Any) -> None:
        self._execute(f"set variable {variable} = $1", [value])

    def _is_readable(self, path: str) -> bool:
        """Whether DuckDB's reader can read a file to its end."""
        probe = f"select count(strlen(line)), count(rest) from read_csv($1, {READER_OPTIONS})"
        try:
            self._run(probe, [glob.escape(path)]).fetchone()
        except duckdb.Error:
            return False
        return True
