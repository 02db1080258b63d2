"""The lines that a file comes to by the contract, in plain Python with the whole file in memory.

Or the reason why the file is rejected whole.
"""

import json
import re

from tests.support.content_oracle import text_of


def refuse(word: str):
    raise ValueError(word)


# NaN and Infinity are not JSON (RFC 8259).
DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=refuse)
SPACE = re.compile(r"[ \t\r\n]*")


def split_lines(content: bytes) -> list[bytes]:
    """The lines of a newline-delimited file that are not blank."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    lines = [re.sub(rb"^(\x1e|\xef\xbb\xbf)+", b"", line) for line in lines]
    return [line for line in lines if line.strip(b" \t")]


def lines_of(content: bytes) -> list[bytes] | str:
    """The lines of a file, or the reason why it is rejected whole."""
    content = text_of(content)
    if isinstance(content, str):
        return content
    lines = split_lines(content)
    if not lines or is_line_of_records(lines):
        return lines
    try:
        return [on_one_line(value) for value in records_of(without_mark(content).decode())]
    except (ValueError, RecursionError):
        return "file_not_json" if breaks_off(without_mark(content)) else lines


def without_mark(content: bytes) -> bytes:
    """Without marks before lines; half a character at the end is the replacement character."""
    content = re.sub(rb"(^|[\r\n])(\x1e|\xef\xbb\xbf)+", rb"\1", content)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return content[: error.start] + "\ufffd".encode()
    return content


def is_line_of_records(lines: list[bytes]) -> bool:
    """Whether the first line says that the file is newline-delimited."""
    try:
        first = json.loads(lines[0].decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return not lines[0].strip(b" \t").startswith((b"{", b"["))
    if not isinstance(first, dict):
        return not isinstance(first, list)
    return len(lines) > 1 or wrapped_key(first) is None


def wrapped_key(value: dict) -> str | None:
    """The key of a wrapper that holds its records, None if the object is no wrapper."""
    found = [
        key
        for key, items in value.items()
        if isinstance(items, list) and items and all(isinstance(item, dict) for item in items)
    ]
    return found[0] if len(found) == 1 and "facility_id" not in value else None


def records_of(text: str) -> list[str]:
    """The texts of the records of a container. Raises ValueError if it is none."""
    values = values_of(text)
    parsed = [json.loads(value, parse_constant=refuse) for value in values]
    if len(values) == 1 and isinstance(parsed[0], list):
        return items_of(values[0])
    if not values or not all(isinstance(value, dict) for value in parsed):
        raise ValueError
    key = wrapped_key(parsed[0]) if len(values) == 1 else None
    return values if key is None else items_of(members_of(values[0])[key])


def values_of(text: str) -> list[str]:
    found, at = [], SPACE.match(text).end()
    while at < len(text):
        _, end = DECODER.raw_decode(text, at)
        found.append(text[at:end])
        at = SPACE.match(text, end).end()
    return found


def items_of(text: str) -> list[str]:
    found, at = [], SPACE.match(text, 1).end()
    while text[at] != "]":
        _, end = DECODER.raw_decode(text, at)
        found.append(text[at:end])
        at = SPACE.match(text, end).end()
        at = SPACE.match(text, at + (text[at] == ",")).end()
    return found


def members_of(text: str) -> dict[str, str]:
    found, at = {}, SPACE.match(text, 1).end()
    while text[at] != "}":
        key, end = DECODER.raw_decode(text, at)
        at = SPACE.match(text, SPACE.match(text, end).end() + 1).end()
        _, end = DECODER.raw_decode(text, at)
        found[key] = text[at:end]
        at = SPACE.match(text, end).end()
        at = SPACE.match(text, at + (text[at] == ",")).end()
    return found


def on_one_line(text: str) -> bytes:
    return re.sub(r"[\r\n][ \t\r\n]*", "", text).encode()


def breaks_off(content: bytes) -> bool:
    """Whether content is a list that goes on, or objects of which the last one goes on."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    at = SPACE.match(text).end()
    while text[at : at + 1] == "{":
        try:
            _, end = DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        at = SPACE.match(text, end).end()
    allowed = "{" if text[:at].strip() else "{["
    return text[at : at + 1] in tuple(allowed) and is_incomplete(text[at:])


STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*'
TOKEN = re.compile(
    rf'{STRING}"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null|[\[\]{{}},:]'
)
CUT_STRING = re.compile(rf"{STRING}(?:\\(?:u[0-9a-fA-F]{{0,3}})?)?")
CUT_NUMBER = re.compile(r"-|-?(?:0|[1-9][0-9]*)(?:\.|(?:\.[0-9]+)?[eE][+-]?)")
# What may come, by what was there: in a list, in an object, and what ends them.
AFTER = {
    "value": {"[": "first item", "{": "first key", "atom": "done"},
    "first item": {"[": "first item", "{": "first key", "atom": "done", "]": "done"},
    "first key": {"string": "colon", "}": "done"},
    "key": {"string": "colon"},
    "colon": {":": "value"},
}


def is_incomplete(text: str) -> bool:
    """Whether a text is the beginning of one value that goes on."""
    expected, open_ones, at = "value", "", SPACE.match(text).end()
    while at < len(text):
        token = TOKEN.match(text, at)
        rest = text[at:]
        is_string = rest.startswith('"')
        cut = CUT_STRING.fullmatch(rest) if is_string else CUT_NUMBER.fullmatch(rest)
        if cut or any(rest == word[: len(rest)] != word for word in ("true", "false", "null")):
            kind = "string" if is_string and "string" in AFTER.get(expected, ()) else "atom"
            return kind in AFTER.get(expected, ())
        if token is None:
            return False
        mark = token[0]
        if expected == "done":
            if not open_ones or mark not in ("," + {"[": "]", "{": "}"}[open_ones[-1]]):
                return False
            if mark == ",":
                expected = "value" if open_ones[-1] == "[" else "key"
            else:
                open_ones = open_ones[:-1]
        else:
            kind = mark if mark in "[]{},:" else "string" if "key" in expected else "atom"
            if kind not in AFTER[expected] or (kind == "string" and not is_string):
                return False
            expected = AFTER[expected][kind]
            open_ones = open_ones + mark if mark in "[{" else open_ones
            open_ones = open_ones[:-1] if mark in "]}" else open_ones
        at = SPACE.match(text, token.end()).end()
    return expected != "done" or bool(open_ones)
