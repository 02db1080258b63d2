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


KEYS = {
    "facility_id", "facility_name", "location", "employee_count", "services", "labs",
    "accreditations", "snapshot_date",
}  # fmt: skip


def lines_of(content: bytes) -> list[bytes] | str:
    """The records of a file on a line each, or the reason why it is rejected whole."""
    content = text_of(content)
    if isinstance(content, str):
        return content
    lines = split_lines(content)
    if not lines or not lines[0].strip(b" \t").startswith((b"{", b"[")):
        return records_by_line(lines)
    first = is_container(lines[0])
    if first is not False:
        try:
            return [on_one_line(text) for text in records_of(without_mark(content).decode())]
        except (ValueError, RecursionError):
            if first is None and breaks_off(without_mark(content)):
                return "file_not_json"
    return records_by_line(lines)


def is_container(line: bytes) -> bool | None:
    """Whether a line is a value that holds records; None if it is no JSON value."""
    try:
        return holds_records(json.loads(line.decode(), parse_constant=refuse))
    except (ValueError, RecursionError):
        return None


def records_by_line(lines: list[bytes]) -> list[bytes]:
    """The records of newline-delimited values, of which some may hold several."""
    found = []
    for line in lines:
        try:
            found += [text.encode() for text in records_of(line.decode(), is_line=True)]
        except (ValueError, RecursionError):
            found.append(line)
    return found


def holds_records(value) -> bool:
    """Whether a value holds records, or is empty where they would be."""
    if isinstance(value, list):
        inner = leaves(value)
        return not inner or any(isinstance(leaf, dict) for leaf in inner)
    return isinstance(value, dict) and wrapped_key(value) is not None


def leaves(items: list) -> list:
    """What lies in a list that is no list itself, however deep."""
    found = []
    for item in items:
        found += leaves(item) if isinstance(item, list) else [item]
    return found


def wrapped_key(value: dict) -> str | None:
    """The key of a wrapper that holds its records, None if the object is no wrapper."""
    if KEYS & set(value):
        return None
    lists = {key: items for key, items in value.items() if isinstance(items, list)}
    for key, items in lists.items():
        if not items and len(lists) == 1:
            return key
    found = [
        key
        for key, items in lists.items()
        if items and all(isinstance(item, dict) for item in items)
    ]
    return found[0] if len(found) == 1 else None


def records_of(text: str, *, is_line: bool = False) -> list[str]:
    """The texts of the records of arrays and objects one after another. Raises ValueError if the
    text is anything else, or does not begin with a container and is a line or a list.
    """
    values = values_of(text)
    parsed = [json.loads(value, parse_constant=refuse) for value in values]
    if not values or not all(isinstance(value, (dict, list)) for value in parsed):
        raise ValueError
    if (is_line or isinstance(parsed[0], list)) and not holds_records(parsed[0]):
        raise ValueError
    found = []
    for value, content in zip(values, parsed, strict=True):
        found += flattened(value) if holds_records(content) else [value]
    return found


def flattened(text: str) -> list[str]:
    """The texts of the records in a value, through any number of lists and wrappers."""
    value = json.loads(text, parse_constant=refuse)
    if isinstance(value, dict):
        key = wrapped_key(value)
        inner = None if key is None else items_of(members_of(text)[key])
    else:
        inner = items_of(text) if isinstance(value, list) else None
    return [text] if inner is None else [one for item in inner for one in flattened(item)]


def without_mark(content: bytes) -> bytes:
    """Without marks before lines; half a character at the end is the replacement character."""
    content = re.sub(rb"(^|[\r\n])(\x1e|\xef\xbb\xbf)+", rb"\1", content)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return content[: error.start] + "\ufffd".encode()
    return content


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
    """Whether content is lists and objects of which the last one goes on."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    at = begin = SPACE.match(text).end()
    while text[at : at + 1] in tuple("{["):
        try:
            value, end = DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        if at == begin and isinstance(value, list) and not holds_records(value):
            return False
        at = SPACE.match(text, end).end()
    return text[at : at + 1] in tuple("{[") and is_incomplete(text[at:])


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
