"""Facts about tables over listed files: which files are read, and what becomes of their bytes."""

import gzip
from typing import Any

from healthpipe.doctor.fact import Fact
from healthpipe.doctor.harness import Bench, listed
from healthpipe.engines.athena.errors import FilesUnreadable
from healthpipe.engines.athena.glue import LINES, Catalog, Table
from healthpipe.engines.athena.naming import RAW, table_name
from healthpipe.engines.athena.raw_files import FILE_TYPES
from healthpipe.engines.athena.relations import LINE_TYPES
from healthpipe.engines.athena.types import for_glue

TEXT = "VARCHAR"
ODD_NAME = "a b/100% +\u00fc&=.txt"


def _lines(bench: Bench, content: bytes, name: str = "lines.txt") -> list[Any]:
    text = bench.lines({name: content}).statement("select line from raw_lines")
    return listed(bench.rows(text, {"line": TEXT}))


def _fields(bench: Bench, content: bytes) -> list[Any]:
    relations = bench.lines({"lines.txt": content})
    return listed(bench.rows(relations.statement("select line, rest from raw_lines"), LINE_TYPES))


def _listed_files(bench: Bench) -> list[Any]:
    bench.put("raw/beside.txt", b"beside\n")
    relations = bench.lines({"raw/one.txt": b"one\n", "raw/two.txt": b"two\n"})
    return listed(bench.rows(relations.statement("select line from raw_lines"), {"line": TEXT}))


def _paths(bench: Bench) -> list[Any]:
    relations = bench.lines({"plain.txt": b"1\n", ODD_NAME: b"2\n"})
    text = relations.statement('select "$path" as path from raw_lines')
    return sorted(bench.name_of(path) for (path,) in bench.rows(text, {"path": TEXT}))


def _file_facts(bench: Bench) -> list[Any]:
    relations = bench.lines({ODD_NAME: b"1\n", "b.txt": b"2\n"}, landed=["b.txt"])
    text = relations.statement("select path, source, folder_date, landed from raw_files")
    rows = bench.rows(text, FILE_TYPES)
    return listed([(bench.name_of(path), *rest) for path, *rest in rows])


def _unreadable_file(bench: Bench) -> str:
    uri = f"{bench.workplace.uri}/plain.txt.gz"
    try:
        found = _lines(bench, b"not zipped\n", "plain.txt.gz")
    except FilesUnreadable as error:
        return "refused, and named" if uri in error.uris else "refused"
    return f"{len(found)} lines"


def _replaced_manifest(bench: Bench) -> list[Any]:
    catalog = Catalog.of(bench.settings)
    catalog.ensure_database()
    columns = {name: for_glue(kind) for name, kind in LINE_TYPES.items()}
    table = Table(table_name(RAW, bench.workplace.token, 1, "followed"), columns, LINES)
    for name in ("old", "new"):
        uri = bench.put(f"{name}.txt", f"{name}\n".encode())
        folder = f"{bench.workplace.uri}/manifests/{name}"
        catalog.put(table, [uri], bench.workplace.storage, folder)
    text = f"select line from {catalog.identifier(table.name)}"
    return listed(bench.rows(text, {"line": TEXT}))


FACTS = [
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
