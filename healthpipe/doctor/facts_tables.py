"""Facts about tables over listed files (which are read, and how), and about queries.

The latter are about how queries are started and stopped, and how their results are returned.
"""

import gzip
import uuid
from typing import Any

from healthpipe.cancellation import signals_deferred
from healthpipe.choices import Format
from healthpipe.doctor.harness import Fact, Harness, bytes_as_text, sorted_rows
from healthpipe.engines.athena.errors import BrokenQuery, FilesUnreadable
from healthpipe.engines.athena.glue import LINES, RAW, Catalog, Table, table_name
from healthpipe.engines.athena.queries import STARTS, client_request_token, stop_and_wait
from healthpipe.engines.athena.relations import FILE_TYPES, LINE_TYPES
from healthpipe.engines.athena.schema import Types, cast_to, glue_type

TEXT = "VARCHAR"
ODD_NAME = "a b/100% +\u00fc&=.txt"


def _read_lines(harness: Harness, content: bytes, name: str = "lines.txt") -> list[Any]:
    text = harness.read_files({name: content}).statement("select line from raw_lines")
    return sorted_rows(harness.rows(text, {"line": TEXT}))


def _read_line_and_rest(harness: Harness, content: bytes) -> list[Any]:
    relations = harness.read_files({"lines.txt": content})
    return sorted_rows(
        harness.rows(relations.statement("select line, rest from raw_lines"), LINE_TYPES)
    )


def _read_listed_files(harness: Harness) -> list[Any]:
    harness.write("raw/beside.txt", b"beside\n")
    relations = harness.read_files({"raw/one.txt": b"one\n", "raw/two.txt": b"two\n"})
    return sorted_rows(
        harness.rows(relations.statement("select line from raw_lines"), {"line": TEXT})
    )


def _read_paths(harness: Harness) -> list[Any]:
    relations = harness.read_files({"plain.txt": b"1\n", ODD_NAME: b"2\n"})
    text = relations.statement('select "$path" as path from raw_lines')
    return sorted(harness.name_of(path) for (path,) in harness.rows(text, {"path": TEXT}))


def _read_parquet_table(harness: Harness) -> list[Any]:
    relations = harness.read_files({ODD_NAME: b"1\n", "b.txt": b"2\n"}, landed=["b.txt"])
    text = relations.statement(f"select {', '.join(FILE_TYPES)} from raw_files")
    rows = harness.rows(text, FILE_TYPES)
    return sorted_rows([(harness.name_of(path), *rest) for path, *rest in rows])


def _read_broken_gzip(harness: Harness) -> str:
    uri = f"{harness.workplace.uri}/plain.txt.gz"
    try:
        lines = _read_lines(harness, b"not zipped\n", "plain.txt.gz")
    except FilesUnreadable as error:
        return "refused, and named" if uri in error.uris else "refused"
    return f"{len(lines)} lines"


def _read_after_new_manifest(harness: Harness) -> list[Any]:
    catalog = Catalog.of(harness.settings)
    catalog.ensure_database()
    columns = {name: glue_type(kind) for name, kind in LINE_TYPES.items()}
    table = Table(table_name(RAW, harness.workplace.token, 1, "followed"), columns, LINES)
    for name in ("old", "new"):
        uri = harness.write(f"{name}.txt", f"{name}\n".encode())
        folder = f"{harness.workplace.uri}/manifests/{name}"
        catalog.put(table, [uri], harness.workplace.storage, folder)
    text = f"select line from {catalog.identifier(table.name)}"
    return sorted_rows(harness.rows(text, {"line": TEXT}))


FILE_FACTS = [
    Fact(
        "listed-files",
        "a table reads the files of its manifest, and no file beside them",
        ["one", "two"],
        _read_listed_files,
    ),
    Fact(
        "paths",
        '"$path" is the file\'s URI as it was listed, whatever characters it has',
        [ODD_NAME, "plain.txt"],
        _read_paths,
    ),
    Fact(
        "columns",
        "U+0001 ends the column `line`, and `rest` takes all that follows",
        [["a", None], ["b", "c\x01d"]],
        lambda harness: _read_line_and_rest(harness, b"a\nb\x01c\x01d\n"),
    ),
    Fact(
        "null",
        "no text is taken for NULL",
        [["", None], ["NULL", None], ["\\N", None]],
        lambda harness: _read_line_and_rest(harness, b"\\N\n\nNULL\n"),
    ),
    Fact(
        "line-ends",
        "LF, CR LF and a lone CR end a line",
        ["a", "b", "c", "d"],
        lambda harness: _read_lines(harness, b"a\rb\r\nc\nd"),
    ),
    Fact(
        "empty-lines",
        "an empty line is a row",
        ["", "", "a"],
        lambda harness: _read_lines(harness, b"\n\na\n"),
    ),
    Fact(
        "gzip",
        "a file named .gz is unpacked",
        ["zipped"],
        lambda harness: _read_lines(harness, gzip.compress(b"zipped\n"), "lines.txt.gz"),
    ),
    Fact(
        "unreadable-file",
        "a file named .gz that is none fails the query, whose reason names it",
        "refused, and named",
        _read_broken_gzip,
    ),
    Fact(
        "parquet",
        "a table of listed files reads Parquet as well",
        [[ODD_NAME, 1, ODD_NAME, None, False], ["b.txt", 2, "b.txt", None, True]],
        _read_parquet_table,
    ),
    Fact(
        "new-manifest",
        "a table that is given another manifest reads the files of that",
        ["new"],
        _read_after_new_manifest,
    ),
]


ONE_ROW, NO_ROWS = "select 'a' as line", "select 'a' as line where false"
# Characters that text formats escape.
RECORD = b' {"a":\t"b,\\tc\\\\ \'\\N\'", "d": "\xc3\xbc\xf0\x9f\x8f\xa5"} \n'
# The first row of a result names its columns, and a page has 1000 rows.
PAGED = 1001
WIDE, DAY = "12345678901234567890123456789012345678", "2026-02-28"
TYPES: Types = {"number": "DECIMAL(38,0)", "day": "DATE", "items": "STRUCT(kind VARCHAR)[]"}
TYPED = (
    f"select cast('{WIDE}' as decimal(38, 0)) as number, date '{DAY}' as day,"
    " array[cast(row('lab') as row(kind varchar)), null] as items"
)
AS_TEXT = (
    "select cast(number as varchar) as number, cast(day as varchar) as day,"
    " element_at(items, 1).kind as kind,"
    " array_join(transform(items, i -> cast(i is null as varchar)), ' ') as nulls from written"
)
# 10^12 rows and no byte to scan.
ENDLESS = (
    "select count(*) as found from unnest(sequence(1, 10000)) as a (x)"
    " cross join unnest(sequence(1, 10000)) as b (y) cross join unnest(sequence(1, 10000)) as c (z)"
    " where x * y + z = -1"
)


def _unload_text(harness: Harness) -> str:
    text = harness.read_files({"lines.txt": RECORD}).statement("select line from raw_lines")
    return bytes_as_text(harness.content(harness.unload(text, "unloaded", Format.NDJSON)))


def _unload_parquet(harness: Harness) -> list[Any]:
    """Unload typed values, and read the files with Athena and with DuckDB."""
    import duckdb

    files = harness.unload(cast_to(TYPED, TYPES), "unloaded", Format.PARQUET)
    relations = harness.relations()
    relations.read_parquet("written", TYPES, files)
    types = dict.fromkeys(("number", "day", "kind", "nulls"), "VARCHAR")
    by_athena = harness.rows(relations.statement(AS_TEXT), types)
    paths = [str(path) for path in harness.workplace.storage.local_copies(files)]
    with duckdb.connect() as connection:
        by_duckdb = connection.read_parquet(paths).fetchall()
    read = [
        [str(n), str(day), items[0]["kind"], " ".join(str(i is None).lower() for i in items)]
        for n, day, items in by_duckdb
    ]
    return [*map(list, by_athena), *read]


def _unload_no_rows(harness: Harness) -> list[str]:
    return [harness.name_of(uri) for uri in harness.unload(NO_ROWS, "unloaded", Format.PARQUET)]


def _unload_to_used_folder(harness: Harness) -> str:
    for number in range(1, STARTS + 1):
        harness.write(f"unloaded/{number}/already-there", b"1")
    try:
        harness.unload(ONE_ROW, "unloaded", Format.NDJSON)
    except (BrokenQuery, FilesUnreadable):
        return "refused"
    return "written"


def _count_queries_of_one_token(harness: Harness) -> int:
    before = len(harness.query_log.ids)
    for _ in range(2):
        harness.run(ONE_ROW)
    return len(harness.query_log.ids) - before


def _read_pages(harness: Harness) -> list[int]:
    text = f"select n from unnest(sequence(1, {PAGED})) as numbers (n) order by n"
    numbers = [number for (number,) in harness.rows(text, {"n": "BIGINT"})]
    return [len(numbers), numbers[0], numbers[-1]]


def _stop_query(harness: Harness) -> str:
    token = client_request_token(harness.workplace.token, 1, uuid.uuid4().hex)
    with signals_deferred():
        query_id = harness.athena.start(ENDLESS, token)
        harness.query_log.started(query_id, token)
    (ended,) = stop_and_wait(harness.athena, [query_id])
    harness.query_log.ended(query_id, ended.state, ended.bytes_scanned)
    return ended.state


QUERY_FACTS = [
    Fact(
        "unload-text",
        "UNLOAD as TEXTFILE without compression writes a column of text byte for byte",
        bytes_as_text(RECORD),
        _unload_text,
    ),
    Fact(
        "unload-parquet",
        "UNLOAD as Parquet keeps values and types, for Athena and for DuckDB",
        [[WIDE, DAY, "lab", "false true"]] * 2,
        _unload_parquet,
    ),
    Fact("unload-nothing", "UNLOAD of no rows writes no file", [], _unload_no_rows),
    Fact(
        "unload-occupied",
        "UNLOAD to a place that has files is refused",
        "refused",
        _unload_to_used_folder,
    ),
    Fact(
        "token", "a query started twice with one token is one query", 1, _count_queries_of_one_token
    ),
    Fact(
        "pages",
        "a result of several pages comes whole, with the names of its columns once",
        [PAGED, 1, PAGED],
        _read_pages,
    ),
    Fact("stop", "StopQueryExecution ends a query", "CANCELLED", _stop_query),
]
