"""Text files as Hive's LazySimpleSerDe reads them, as an Arrow table with a column `$path`.

Lines end at LF, CR LF or CR; an empty one is a row; a byte order mark belongs to none. A file is
gzip by its suffix alone. All this, and the wording of failures, is as Trino 476 was seen to do.
"""

import codecs
import zlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tests.local_aws import stored
from tests.local_aws.athena.backend import QueryFailed
from tests.local_aws.duck import octets
from tests.local_aws.duck.tables import Table
from tests.local_aws.stored import StoredObject

GZIP_MAGIC = b"\x1f\x8b"


def read_lines(table: Table, raise_if_stopping: Callable[[], None]) -> pa.Table:
    """The rows of a table of text, every column a text. Raises `QueryFailed`."""
    properties = table.properties
    delimiter = properties.get("field.delim", properties.get("serialization.format", "\x01"))
    delimiter = "\x01" if delimiter == "1" else delimiter
    null = properties.get("serialization.null.format", r"\N")
    takes_rest = properties.get("serialization.last.column.takes.rest") == "true"
    schema = pa.schema([(name, pa.large_string()) for name in [*table.columns, "$path"]])
    batches = []
    for item in table.files:
        raise_if_stopping()
        lines = _lines(_content(item))
        columns = _columns(lines, len(table.columns), delimiter, takes_rest, null)
        columns.append(pa.repeat(pa.scalar(item.uri, pa.large_string()), len(lines)))
        batches.append(pa.record_batch(columns, schema=schema))
    return pa.Table.from_batches(batches, schema).combine_chunks()


def _content(item: StoredObject) -> bytes:
    try:
        content = stored.content(item.uri)
    except KeyError:
        raise _cannot_open(item, "File does not exist") from None
    if not item.key.endswith(".gz"):
        return content
    try:
        return _unpacked(content)
    except zlib.error as error:
        raise _cannot_open(item, "Not in GZIP format") from error
    except EOFError as error:
        if not error.args[0]:
            raise _cannot_open(item, "Unexpected end of ZLIB input stream") from error
        raise QueryFailed(
            f"HIVE_CURSOR_ERROR: Failed to read file at {item.uri}", category=1
        ) from error


def _cannot_open(item: StoredObject, why: str) -> QueryFailed:
    return QueryFailed(
        f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split {item.uri} (offset=0, "
        f"length={item.size}): {why}"
    )


def _unpacked(content: bytes) -> bytes:
    """All members of a gzip file; what follows them and is none is passed over.

    Raises zlib.error for no gzip, EOFError with what could be read for one that breaks off.
    """
    parts = []
    rest = content
    while rest[:2] == GZIP_MAGIC or not parts:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        parts.append(member.decompress(rest))
        if not member.eof:
            raise EOFError(b"".join(parts))
        rest = member.unused_data
    return b"".join(parts)


def _lines(content: bytes) -> list[str]:
    text = octets.text_of(content.removeprefix(codecs.BOM_UTF8))
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if not lines[-1] else lines


def _columns(
    lines: list[str], number: int, delimiter: str, takes_rest: bool, null: str
) -> list[Any]:
    columns: list[list[str | None]] = [[None] * len(lines) for _ in range(number)]
    limit = number - 1 if takes_rest else -1
    for row, line in enumerate(lines):
        fields = line.split(delimiter, limit) if delimiter in line else (line,)
        for column, field in zip(columns, fields, strict=False):
            column[row] = None if field == null else field
    return [pa.array(column, pa.large_string()) for column in columns]
