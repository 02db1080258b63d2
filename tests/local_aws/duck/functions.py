"""Functions of Trino that DuckDB lacks or has with another meaning, as macros and in Python.

A JSON value is its text as Trino's json_parse would write it: keys sorted, the last of equal keys.
"""

import codecs
import json
import math
from typing import Any

import duckdb

from tests.local_aws.duck import octets, patterns

MACROS = (
    # DuckDB's own functions wherever the text holds no private characters.
    f"trino_to_utf8(x) as if(regexp_matches(x, '{octets.PRIVATE}'), octets_of(x), encode(x))",
    """as_json(x) as if(
        typeof(x) = 'JSON', cast(x as json), trino_try_json_parse(cast(x as varchar)))""",
    "trino_json_extract(x, path) as json_extract(as_json(x), path)",
    """scalar_text(x) as case
        when json_type(x) in ('OBJECT', 'ARRAY', 'NULL') then null else x ->> '$' end""",
    "trino_json_extract_scalar(x, path) as scalar_text(json_extract(as_json(x), path))",
    "is_json_scalar(x) as json_type(as_json(x)) not in ('OBJECT', 'ARRAY')",
    """trino_json_array_length(x) as
        if(json_type(as_json(x)) = 'ARRAY', cast(json_array_length(as_json(x)) as bigint), null)""",
    """size_of(x) as case json_type(x)
        when 'ARRAY' then cast(json_array_length(x) as bigint)
        when 'OBJECT' then length(json_keys(x))
        else if(x is null, null, 0) end""",
    "json_size(x, path) as size_of(json_extract(as_json(x), path))",
    """json_array_get(x, i) as if(
        json_type(as_json(x)) = 'ARRAY', json_extract(as_json(x), '$[*]')[i + 1], null)""",
    """trino_json_items(x) as case
        when x is null or json_type(x) = 'NULL' then null
        when json_type(x) = 'ARRAY' then json_extract(x, '$[*]')
        else error('Cannot cast to array(json). Expected a json array, but got ' || x) end""",
    """trino_try_json_items(x) as
        if(json_type(x) = 'ARRAY', json_extract(x, '$[*]'), null)""",
    """trino_json_members(x) as case
        when x is null or json_type(x) = 'NULL' then null
        when json_type(x) = 'OBJECT' then map(json_keys(x), json_extract(x, '$.*'))
        else error('Cannot cast to map(varchar,json). Expected a json object, but got ' || x)
        end""",
    """trino_try_json_members(x) as
        if(json_type(x) = 'OBJECT', map(json_keys(x), json_extract(x, '$.*')), null)""",
    f"""trino_valid_text(x, instead) as
        if(regexp_matches(x, '{octets.PRIVATE}'), trino_from_utf8(octets_of(x), instead), x)""",
)


# No text holds half of a surrogate pair: this one stands for what could not be decoded.
MARK = "\udc80"
codecs.register_error("one-mark", lambda error: (MARK, error.end))  # type: ignore[attr-defined]


class NotJson(ValueError):
    """A text that is no JSON."""


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to a database."""
    for name, function, parameters, result in (
        ("octets_of", octets.bytes_of, ["VARCHAR"], "BLOB"),
        ("trino_from_utf8", from_utf8, ["BLOB", "VARCHAR"], "VARCHAR"),
        ("restored", restored, ["VARCHAR"], "VARCHAR"),
        ("strpos_of", strpos, ["VARCHAR", "VARCHAR", "INTEGER"], "BIGINT"),
        ("java_regexp_like", patterns.like, ["VARCHAR", "VARCHAR"], "BOOLEAN"),
        ("java_regexp_replace", patterns.replaced, ["VARCHAR"] * 3, "VARCHAR"),
        ("regexp_parts", patterns.parts, ["VARCHAR"] * 2, patterns.PARTS),
        ("json_parsed", json_parse, ["VARCHAR"], "VARCHAR"),
        ("json_parsed_or_null", try_json_parse, ["VARCHAR"], "VARCHAR"),
    ):
        connection.create_function(name, function, parameters, result, null_handling="special")
    connection.execute("create macro trino_json_parse(x) as cast(json_parsed(x) as json)")
    connection.execute(
        "create macro trino_try_json_parse(x) as cast(json_parsed_or_null(x) as json)"
    )
    for macro in MACROS:
        connection.execute(f"create macro {macro}")


def from_utf8(content: bytes | None, replacement: str | None) -> str | None:
    """Trino's from_utf8: invalid bytes are replaced."""
    if content is None or replacement is None:
        return None
    try:
        return octets.text_of(content.decode().encode())
    except UnicodeDecodeError:
        return content.decode("utf-8", "one-mark").replace(MARK, replacement)


def restored(text: str | None) -> str | None:
    """A text with its valid private characters themselves again; what is not UTF-8 stays."""
    if text is None or not octets.is_private(text):
        return text
    try:
        return octets.bytes_of(text).decode()
    except UnicodeDecodeError:
        return text


def json_parse(text: str | None) -> str | None:
    """Trino's json_parse: the JSON of a text, written anew. Raises ValueError for no JSON."""
    if text is None:
        return None
    if octets.is_private(text):
        text = octets.bytes_of(text).decode()
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_number)
    except RecursionError:
        raise MemoryError("JSON is nested too deeply") from None
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return octets.text_of(written.encode("utf-8", "replace"))


def try_json_parse(text: str | None) -> str | None:
    """NULL where json_parse fails."""
    try:
        return json_parse(text)
    except ValueError:
        return None


def strpos(text: str | None, sought: str | None, occurrence: int | None) -> int | None:
    """Where a text is found for the n-th time, from 1; 0 if it is not that often there."""
    if text is None or sought is None or occurrence is None:
        return None
    place = -1
    for _ in range(occurrence):
        place = text.find(sought, place + 1)
        if place < 0:
            return 0
    return place + 1


def _number(digits: str) -> float | str:
    """A number with a point or an exponent; one too large becomes a string, as Trino has it."""
    value = float(digits)
    return str(value).replace("inf", "Infinity") if math.isinf(value) else value


def _no_constant(word: str) -> Any:
    raise NotJson(word)
