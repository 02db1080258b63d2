"""Results as Athena shows them: pages of texts, and files beside."""

import base64
import datetime
import math
import re
from typing import Any

from tests.local_aws.athena.backend import Column, Result
from tests.local_aws.front import Refused

INVALID = "InvalidRequestException"
MAX_RESULTS = 1000
PARAMETERS = re.compile(r"^(decimal|varchar|char)\((\d+)(?:, ?(\d+))?\)$")
PRECISIONS = {
    "integer": 10, "bigint": 19, "smallint": 5, "tinyint": 3, "double": 17, "float": 17,
    "varchar": 2147483647, "varbinary": 1073741824, "timestamp": 3, "json": 2147483647,
}  # fmt: skip


def page(result: Result, with_header: bool, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of GetQueryResults. The first row of a SELECT's first page holds the names."""
    limit = asked.get("MaxResults", MAX_RESULTS)
    if not 1 <= limit <= MAX_RESULTS:
        raise Refused(INVALID, f"MaxResults is more than maximum allowed length {MAX_RESULTS}.")
    start = _place(asked.get("NextToken"))
    header = [[column.name for column in result.columns]] if with_header else []
    end = start + limit
    lines = [*header, *result.rows] if start < len(header) else result.rows
    shift = 0 if start < len(header) else len(header)
    rows = lines[start - shift : end - shift]
    answer: dict[str, Any] = {
        "UpdateCount": 0,
        "ResultSet": {
            "Rows": [{"Data": [_datum(value) for value in row]} for row in rows],
            "ResultSetMetadata": {"ColumnInfo": [_described(column) for column in result.columns]},
        },
    }
    if end < len(header) + len(result.rows):
        answer["NextToken"] = base64.b64encode(f"row {end}".encode()).decode()
    return answer


def csv(result: Result) -> bytes:
    """The file of a SELECT: every value in quotes, NULL as nothing, LF at the ends."""
    lines = [[column.name for column in result.columns], *result.rows]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines).encode()


def shown(value: Any) -> str:
    """A value that is not NULL as Athena writes it."""
    match value:
        case bool():
            text = "true" if value else "false"
        case float():
            text = _double(value)
        case datetime.datetime():
            text = value.isoformat(sep=" ", timespec="milliseconds")
        case bytes() | bytearray():
            text = " ".join(f"{byte:02x}" for byte in value)
        case dict():
            text = "{" + ", ".join(f"{name}={_inner(v)}" for name, v in value.items()) + "}"
        case list() | tuple():
            text = "[" + ", ".join(map(_inner, value)) + "]"
        case _:
            # Texts, whole numbers, decimals and days are written as Python writes them.
            text = str(value)
    return text


def _place(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.b64decode(token, validate=True).removeprefix(b"row "))
    except ValueError:
        raise Refused(INVALID, "Invalid NextToken") from None


def _datum(value: Any) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": shown(value)}


def _inner(value: Any) -> str:
    return "null" if value is None else shown(value)


def _double(value: float) -> str:
    if math.isinf(value) or math.isnan(value):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    digits = repr(value)
    mantissa, _, exponent = digits.partition("e")
    if not exponent:
        return digits
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def _quoted(value: Any) -> str:
    return "" if value is None else '"' + shown(value).replace('"', '""') + '"'


def _described(column: Column) -> dict[str, Any]:
    word = column.type.partition("(")[0]
    found = PARAMETERS.match(column.type)
    sizes = [int(size or 0) for size in found.groups()[1:]] if found else []
    precision, scale = sizes or (PRECISIONS.get(word, 0), 3 if word == "timestamp" else 0)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": word,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": word in {"varchar", "char", "json"},
    }
