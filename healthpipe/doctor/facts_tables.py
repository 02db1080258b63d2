"""Facts about tables over listed files: which files are read, and what becomes of their bytes.

Facts about queries: how they are started and stopped, and how their results come back.
"""

import gzip
import uuid
from typing import Any

import duckdb

from healthpipe.cancellation import signals_deferred
from healthpipe.choices import Format
from healthpipe.doctor.harness import Fact, Harness, listed, shown
from healthpipe.engines.athena.errors import BrokenQuery, FilesUnreadable
from healthpipe.engines.athena.glue import LINES, RAW, Catalog, Table, table_name
from healthpipe.engines.athena.queries import TRIES, client_request_token, stop_and_wait
from healthpipe.engines.athena.relations import LINE_TYPES
from healthpipe.engines.athena.results import FILE_TYPES
from healthpipe.engines.athena.schema import Types, cast_to, glue_type

TEXT = "VARCHAR"
ODD_NAME = "a b/100% +\u00fc&=.txt"


def _lines(bench: Harness, content: bytes, name: str = "lines.txt") -> list[Any]:
    text = bench.lines({name: content}).statement("select line from raw_lines")
    return listed(bench.rows(text, {"line": TEXT}))


def _fields(bench: Harness, content: bytes) -> list[Any]:
    relations = bench.lines({"lines.txt": content})
    return listed(bench.rows(relations.statement("select line, rest from raw_lines"), LINE_TYPES))


def _listed_files(bench: Harness) -> list[Any]:
    bench.put("raw/beside.txt", b"beside\n")
    relations = bench.lines({"raw/one.txt": b"one\n", "raw/two.txt": b"two\n"})
    return listed(bench.rows(relations.statement("select line from raw_lines"), {"line": TEXT}))


def _paths(bench: Harness) -> list[Any]:
    relations = bench.lines({"plain.txt": b"1\n", ODD_NAME: b"2\n"})
    text = relations.statement('select "$path" as path from raw_lines')
    return sorted(bench.name_of(path) for (path,) in bench.rows(text, {"path": TEXT}))


def _file_facts(bench: Harness) -> list[Any]:
    relations = bench.lines({ODD_NAME: b"1\n", "b.txt": b"2\n"}, landed=["b.txt"])
    text = relations.statement("select path, source, folder_date, landed from raw_files")
    rows = bench.rows(text, FILE_TYPES)
    return listed([(bench.name_of(path), *rest) for path, *rest in rows])


def _unreadable_file(bench: Harness) -> str:
    uri = f"{bench.workplace.uri}/plain.txt.gz"
    try:
        found = _lines(bench, b"not zipped\n", "plain.txt.gz")
    except FilesUnreadable as error:
        return "refused, and named" if uri in error.uris else "refused"
    return f"{len(found)} lines"


def _replaced_manifest(bench: Harness) -> list[Any]:
    catalog = Catalog.of(bench.settings)
    catalog.ensure_database()
    columns = {name: glue_type(kind) for name, kind in LINE_TYPES.items()}
    table = Table(table_name(RAW, bench.workplace.token, 1, "followed"), columns, LINES)
    for name in ("old", "new"):
        uri = bench.put(f"{name}.txt", f"{name}\n".encode())
        folder = f"{bench.workplace.uri}/manifests/{name}"
        catalog.put(table, [uri], bench.workplace.storage, folder)
    text = f"select line from {catalog.identifier(table.name)}"
    return listed(bench.rows(text, {"line": TEXT}))


FILE_FACTS = [
    Fact(
        "listed-files",
        "a table reads the files of its manifest, and no file beside them",
        ["one", "two"],
        _listed_files,
    ),
    Fact(
        "paths",
        '"$path" is the file\'s URI as it was listed, whatever characters it has',
        [ODD_NAME, "plain.txt"],
        _paths,
    ),
    Fact(
        "columns",
        "U+0001 ends the column `line`, and `rest` takes all that follows",
        [["a", None], ["b", "c\x01d"]],
        lambda bench: _fields(bench, b"a\nb\x01c\x01d\n"),
    ),
    Fact(
        "null",
        "no text is taken for NULL",
        [["", None], ["NULL", None], ["\\N", None]],
        lambda bench: _fields(bench, b"\\N\n\nNULL\n"),
    ),
    Fact(
        "line-ends",
        "LF, CR LF and a lone CR end a line",
        ["a", "b", "c", "d"],
        lambda bench: _lines(bench, b"a\rb\r\nc\nd"),
    ),
    Fact(
        "empty-lines",
        "an empty line is a row",
        ["", "", "a"],
        lambda bench: _lines(bench, b"\n\na\n"),
    ),
    Fact(
        "gzip",
        "a file named .gz is unpacked",
        ["zipped"],
        lambda bench: _lines(bench, gzip.compress(b"zipped\n"), "lines.txt.gz"),
    ),
    Fact(
        "unreadable-file",
        "a file named .gz that is none fails the query, whose reason names it",
        "refused, and named",
        _unreadable_file,
    ),
    Fact(
        "parquet",
        "a table of listed files reads Parquet as well",
        [[ODD_NAME, ODD_NAME, None, False], ["b.txt", "b.txt", None, True]],
        _file_facts,
    ),
    Fact(
        "new-manifest",
        "a table that is given another manifest reads the files of that",
        ["new"],
        _replaced_manifest,
    ),
]


ONE, NOTHING = "select 'a' as line", "select 'a' as line where false"
# What formats of text like to escape.
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
    " element_at(items, 1).kind as kind, cast(cardinality(items) as varchar) as items from written"
)
# A million million rows, and not a byte to scan.
ENDLESS = (
    "select count(*) as found from unnest(sequence(1, 10000)) as a (x)"
    " cross join unnest(sequence(1, 10000)) as b (y) cross join unnest(sequence(1, 10000)) as c (z)"
    " where x * y + z = -1"
)


def _unloaded_text(bench: Harness) -> str:
    text = bench.lines({"lines.txt": RECORD}).statement("select line from raw_lines")
    return shown(bench.content(bench.unload(text, "unloaded", Format.NDJSON)))


def _unloaded_parquet(bench: Harness) -> list[Any]:
    """The values as Athena reads them again, and as the embedded engine does."""
    files = bench.unload(cast_to(TYPED, TYPES), "unloaded", Format.PARQUET)
    relations = bench.relations()
    relations.read_parquet("written", TYPES, files)
    types = dict.fromkeys(("number", "day", "kind", "items"), "VARCHAR")
    there = bench.rows(relations.statement(AS_TEXT), types)
    paths = [str(path) for path in bench.workplace.storage.local_copies(files)]
    with duckdb.connect() as connection:
        here = connection.read_parquet(paths).fetchall()
    read = [[str(n), str(day), items[0]["kind"], str(len(items))] for n, day, items in here]
    return [*map(list, there), *read]


def _unloaded_nothing(bench: Harness) -> list[str]:
    return [bench.name_of(uri) for uri in bench.unload(NOTHING, "unloaded", Format.PARQUET)]


def _occupied_place(bench: Harness) -> str:
    for number in range(1, TRIES + 1):
        bench.put(f"unloaded/{number}/already-there", b"1")
    try:
        bench.unload(ONE, "unloaded", Format.NDJSON)
    except (BrokenQuery, FilesUnreadable):
        return "refused"
    return "written"


def _same_token(bench: Harness) -> int:
    before = len(bench.account.ids)
    for _ in range(2):
        bench.run(ONE)
    return len(bench.account.ids) - before


def _pages(bench: Harness) -> list[int]:
    text = f"select n from unnest(sequence(1, {PAGED})) as numbers (n) order by n"
    numbers = [number for (number,) in bench.rows(text, {"n": "BIGINT"})]
    return [len(numbers), numbers[0], numbers[-1]]


def _stopped(bench: Harness) -> str:
    token = client_request_token(bench.workplace.token, 1, uuid.uuid4().hex)
    with signals_deferred():
        query_id = bench.calls.start(ENDLESS, token)
        bench.account.started(query_id, token)
    (ended,) = stop_and_wait(bench.calls, [query_id])
    bench.account.ended(query_id, ended.state, ended.bytes_scanned)
    return ended.state


QUERY_FACTS = [
    Fact(
        "unload-text",
        "UNLOAD as TEXTFILE without compression writes a column of text byte for byte",
        shown(RECORD),
        _unloaded_text,
    ),
    Fact(
        "unload-parquet",
        "UNLOAD as Parquet keeps values and types, for Athena and for DuckDB",
        [[WIDE, DAY, "lab", "2"]] * 2,
        _unloaded_parquet,
    ),
    Fact("unload-nothing", "UNLOAD of no rows writes no file", [], _unloaded_nothing),
    Fact(
        "unload-occupied",
        "UNLOAD to a place that has files is refused",
        "refused",
        _occupied_place,
    ),
    Fact("token", "a query started twice with one token is one query", 1, _same_token),
    Fact(
        "pages",
        "a result of several pages comes whole, with the names of its columns once",
        [PAGED, 1, PAGED],
        _pages,
    ),
    Fact("stop", "StopQueryExecution ends a query", "CANCELLED", _stopped),
]
