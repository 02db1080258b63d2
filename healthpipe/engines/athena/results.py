"""Small results as GetQueryResults gives them: texts that become the values that they stand for."""

import datetime
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from healthpipe.engines.athena.types import Types
from healthpipe.engines.base import Row

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import DatumTypeDef, GetQueryResultsOutputTypeDef

_OF_TYPE: dict[str, Callable[[str], Any]] = {
    "BIGINT": int,
    "INTEGER": int,
    "HUGEINT": int,
    "DOUBLE": float,
    "BOOLEAN": lambda text: text == "true",
    "VARCHAR": str,
    "DATE": datetime.date.fromisoformat,
}
_DECIMAL = "DECIMAL"


def are_told_as_text(types: Types) -> bool:
    """Whether a text stands for each value of these types: that of lists and bytes does not."""
    return all(kind in _OF_TYPE or kind.startswith(_DECIMAL) for kind in types.values())


def values(pages: "Iterable[GetQueryResultsOutputTypeDef]", types: Types) -> Iterator[Row]:
    """The rows of a SELECT, whose first page begins with the names of the columns."""
    read = [Decimal if kind.startswith(_DECIMAL) else _OF_TYPE[kind] for kind in types.values()]
    rows = (row for page in pages for row in page["ResultSet"]["Rows"])
    next(rows, None)
    for row in rows:
        cells = zip(read, row["Data"], strict=True)
        yield tuple(_value(convert, datum) for convert, datum in cells)


def _value(convert: Callable[[str], Any], datum: "DatumTypeDef") -> Any:
    """NULL is no text; an empty text is one."""
    text = datum.get("VarCharValue")
    return None if text is None else convert(text)
