"""Facts about queries: how they are started and stopped, and how their results come back."""

import uuid
from typing import Any

import duckdb

from healthpipe.cancellation import unbroken
from healthpipe.choices import Format
from healthpipe.doctor.fact import Fact
from healthpipe.doctor.harness import Bench, shown
from healthpipe.engines.athena.errors import BrokenQuery, FilesUnreadable
from healthpipe.engines.athena.queries import TRIES, stopped, token_of
from healthpipe.engines.athena.types import Types, cast_to

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


def _unloaded_text(bench: Bench) -> str:
    text = bench.lines({"lines.txt": RECORD}).statement("select line from raw_lines")
    return shown(bench.content(bench.unload(text, "unloaded", Format.NDJSON)))


def _unloaded_parquet(bench: Bench) -> list[Any]:
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


def _unloaded_nothing(bench: Bench) -> list[str]:
    return [bench.name_of(uri) for uri in bench.unload(NOTHING, "unloaded", Format.PARQUET)]


def _occupied_place(bench: Bench) -> str:
    for number in range(1, TRIES + 1):
        bench.put(f"unloaded/{number}/already-there", b"1")
    try:
        bench.unload(ONE, "unloaded", Format.NDJSON)
    except (BrokenQuery, FilesUnreadable):
        return "refused"
    return "written"


def _same_token(bench: Bench) -> int:
    before = len(bench.account.ids)
    for _ in range(2):
        bench.run(ONE)
    return len(bench.account.ids) - before


def _pages(bench: Bench) -> list[int]:
    text = f"select n from unnest(sequence(1, {PAGED})) as numbers (n) order by n"
    numbers = [number for (number,) in bench.rows(text, {"n": "BIGINT"})]
    return [len(numbers), numbers[0], numbers[-1]]


def _stopped(bench: Bench) -> str:
    token = token_of(bench.workplace.token, 1, uuid.uuid4().hex)
    with unbroken():
        query_id = bench.calls.start(ENDLESS, token)
        bench.account.started(query_id, token)
    (ended,) = stopped(bench.calls, [query_id])
    bench.account.ended(query_id, ended.state, ended.bytes_scanned)
    return ended.state


FACTS = [
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
