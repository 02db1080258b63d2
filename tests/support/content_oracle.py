"""What a file is by its first bytes, in plain Python with the whole file in memory.

Its text where it can be read, or the reason why it is rejected whole. Knows no tar and no archive:
nothing of that kind is made by chance.
"""

import bz2
import csv
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import zstandard

MAGICS = {
    "gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "xz": b"\xfd7zXZ\0",
    **{f"bzip2 {level}": b"BZh" + str(level).encode() for level in range(1, 10)},
}  # fmt: skip
MARK = b"\xef\xbb\xbf"
HEAD = 65_536
NAME = re.compile(r"[A-Za-z\u00aa-\uffff][\w .()/-]*")


def text_of(content: bytes) -> bytes | str:
    """The text of a file in UTF-8, or the reason why it is rejected whole."""
    try:
        content = unpacked(content)
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError, ValueError):
        return "file_truncated"
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "file_utf32"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        if len(content) % 2:
            return "file_truncated"
        content = content.decode("utf-16", "surrogatepass").encode("utf-8", "surrogatepass")
    elif has_separators_alone(content[:HEAD]):
        content = content.replace(b"\x1e", b"\n")
    return kind_of_text(content[:HEAD]) or content


def has_separators_alone(head: bytes) -> bool:
    first, *others = head.lstrip(b"\x1e").split(b"\x1e")
    is_sequence = head.startswith(b"\x1e") and first.lstrip(b" \t")[:1] in (b"{", b"[")
    ends = (each.rstrip(b" \t")[-1:] for each in (first, *others)[: len(others)])
    return is_sequence and any(end in (b"}", b"]") for end in ends if end)


def unpacked(content: bytes) -> bytes:
    for kind, magic in MAGICS.items():
        if content.startswith(magic):
            match kind.partition(" ")[0]:
                case "gzip":
                    return unpacked(gzip.decompress(content))
                case "zstd":
                    return unpacked(unpacked_zstd(content))
                case "xz":
                    return unpacked(every_member(lzma.LZMADecompressor, content))
                case "bzip2":
                    return unpacked(every_member(bz2.BZ2Decompressor, content))
    if content and any(m.startswith(content) for m in (*MAGICS.values(), b"PK\3\4", b"PK\5\6")):
        raise EOFError
    return content


def every_member(make: Callable[[], Any], content: bytes) -> bytes:
    """All members, to the end: `decompress` of bz2 and lzma passes over what follows the first."""
    parts = []
    while content:
        member = make()
        parts.append(member.decompress(content))
        if not member.eof:
            raise EOFError
        content = member.unused_data
    return b"".join(parts)


def unpacked_zstd(content: bytes) -> bytes:
    parts = []
    while content:
        frame = zstandard.ZstdDecompressor().decompressobj()
        parts.append(frame.decompress(content))
        if not frame.eof:
            raise EOFError
        content = frame.unused_data
    return b"".join(parts)


def kind_of_text(head: bytes) -> str | None:
    lines = [line.strip(b" \t") for line in re.split(rb"[\r\n]+", head)]
    lines = [re.sub(rb"^(\x1e|\xef\xbb\xbf)+", b"", line).strip(b" \t") for line in lines]
    if re.match(rb"[{\[]\0\0\0|\0\0\0[{\[]", head):
        return "file_utf32"
    if re.match(rb"[{\[]\0[^\0]\0|\0[{\[]\0[^\0]", head, re.DOTALL):
        return "file_utf16"
    starts_as_json = re.match(rb"(\s|\x1e|\xef\xbb\xbf)*[{\[]", head)
    is_looked_at = not starts_as_json or b"\0" in head[:512]
    if b"\0" in head and is_looked_at and not any(is_object(line) for line in lines):
        return "file_not_text"
    if any(line[:1] in (b"{", b"[") for line in lines if line):
        return None
    first = b"".join(lines[:1]) or b"".join(lines[1:2])
    if re.match(rb"<[?!A-Za-z_]", first):
        is_page = re.search(rb"<(!doctype\s+html|html|head|body)\b", head[:1024], re.IGNORECASE)
        return "file_html" if is_page else "file_xml"
    return (
        "file_csv"
        if is_table([line.decode("utf-8", "replace") for line in lines if line])
        else None
    )


def is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode()), dict)
    except (ValueError, RecursionError):
        return False


def is_table(lines: list[str]) -> bool:
    for delimiter in ",;\t|":
        rows = first_rows(lines, delimiter)
        widths = [len(row) for row in rows]
        names = bool(rows) and all(NAME.fullmatch(cell.strip()) for cell in rows[0])
        if names and widths[0] > 1 and len(set(widths[:2])) == 1:
            return True
        if len(widths) > 1 and widths[0] > 2 and len(set(widths)) == 1:
            return True
    return False


def first_rows(lines: list[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    with suppress(csv.Error):
        for row in csv.reader(lines, delimiter=delimiter):
            rows += [row] if row else []
            if len(rows) == 5:
                break
    return rows
