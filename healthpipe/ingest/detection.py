"""Tell by the first bytes that a file holds no JSON that can be read, and what it is instead.

Binary kinds are told by their magic numbers. Kinds of text are told only where no line of the head
begins as JSON does: a file of lines keeps its good ones, whatever stands between them.
"""

import codecs
import csv
import io
import itertools
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from healthpipe.contract import RECORD_KEYS, Reason
from healthpipe.ingest.content import BLANK, Content, read_fully
from healthpipe.ingest.formats import FirstLine, first_line
from healthpipe.ingest.json_splitter import InvalidJson, JsonSplitter, TruncatedJson
from healthpipe.ingest.packing import CHUNK_BYTES, FileRefused

_BINARY = {
    b"PAR1": Reason.FILE_PARQUET,
    b"SQLite format 3\0": Reason.FILE_SQLITE,
    codecs.BOM_UTF32_LE: Reason.FILE_UTF32,
    codecs.BOM_UTF32_BE: Reason.FILE_UTF32,
    b"-----BEGIN PGP MESSAGE": Reason.FILE_ENCRYPTED,
    b"age-encryption.org/": Reason.FILE_ENCRYPTED,
    b"Salted__": Reason.FILE_ENCRYPTED,
    **dict.fromkeys(
        (b"%PDF-", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x04\x22\x4d\x18", b"Obj\x01", b"ORC",
         b"ARROW1\0", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\x1f\x9d", b"\xff\x06\0\0sNaPpY",
         b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"MZ", b"\x7fELF"),
        Reason.FILE_NOT_TEXT,
    ),
}  # fmt: skip
_GIT_LFS = b"version https://git-lfs.github.com/spec/"
# Where JSON begins without a mark: an ASCII character and its zeros.
_UNMARKED = {
    rb"[{\[]\0\0\0": Reason.FILE_UTF32,
    rb"\0\0\0[{\[]": Reason.FILE_UTF32,
    rb"[{\[]\0[^\0]\0": Reason.FILE_UTF16,
    rb"\0[{\[]\0[^\0]": Reason.FILE_UTF16,
}
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(rb"<[?!A-Za-z_]")
_HTML_BYTES = 1 << 10
_LINE_ENDS = re.compile(rb"[\r\n]+")
_CSV_ROWS = 5
_COLUMN_NAME = re.compile(r"[^\W\d][\w .()/-]*")


def refusal_of(content: Content) -> Reason | None:
    """Why a file is rejected whole, by the first bytes of what was packed; None if it is not.

    Raises `FileRefused` where those cannot be unpacked.
    """
    head = content.head
    if not head:
        return None
    if _is_tar(head):
        return Reason.FILE_TAR
    for magic, reason in _BINARY.items():
        if head.startswith(magic):
            return reason
    for pattern, reason in _UNMARKED.items():
        if re.match(pattern, head, re.DOTALL):
            return reason
    return _kind_of_text(content.text_head)


def _is_tar(head: bytes) -> bool:
    """Whether a file begins with the header of a tar, whose checksum is right."""
    import tarfile

    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def _kind_of_text(head: bytes) -> Reason | None:
    """What text is, by its beginning, if not JSON; None if it may be."""
    text = head.lstrip()
    if text.startswith(_GIT_LFS):
        return Reason.FILE_GIT_LFS
    if text.startswith(b"/") and has_comments(head):
        return Reason.FILE_JSONC
    rows = _LINE_ENDS.split(head)
    lines = [row.strip(BLANK) for row in rows]
    if b"\0" in head and not any(map(_is_json_object, lines)):
        return Reason.FILE_NOT_TEXT
    if any(line.startswith((b"{", b"[")) for line in lines):
        return None
    if _XML.match(text):
        return Reason.FILE_HTML if _HTML.search(text[:_HTML_BYTES]) else Reason.FILE_XML
    return Reason.FILE_CSV if _is_csv(rows) else None


def _is_json_object(line: bytes) -> bool:
    if not line.startswith(b"{"):
        return False
    try:
        json.loads(line.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _is_csv(lines: list[bytes]) -> bool:
    """Whether lines are a table, by its first rows.

    It is one if the first row is of names, at least two, and the second as long; or if the first
    rows are equally long, three columns at least.
    """
    text = [line.decode("utf-8", "replace") for line in lines]
    for delimiter in ",;\t|":
        rows = list(itertools.islice(_rows(text, delimiter), _CSV_ROWS))
        width = len(rows[0]) if rows else 0
        is_even = all(len(row) == width for row in rows[:2])
        if width >= 2 and is_even and all(map(_COLUMN_NAME.fullmatch, map(str.strip, rows[0]))):
            return True
        if width >= 3 and len(rows) > 1 and all(len(row) == width for row in rows):
            return True
    return False


def _rows(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    """The rows of a CSV that are not blank; none after one that cannot be read."""
    try:
        yield from (row for row in csv.reader(lines, delimiter=delimiter) if row)
    except csv.Error:
        return


_STRING_OR_COMMENT = re.compile(rb'("(?:[^"\\]|\\.)*"?)|//[^\r\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(rb'("(?:[^"\\]|\\.)*"?)|,(?=\s*[}\]])', re.DOTALL)


def has_comments(head: bytes) -> bool:
    """Whether text is a JSON container but for its comments, by its beginning.

    Commas before a closing bracket are taken as the writer of comments means them.
    """
    without = _STRING_OR_COMMENT.sub(_string_only, head)
    if without == head or first_line(io.BytesIO(without)) is FirstLine.RECORD:
        return False
    bare = io.BytesIO(_STRING_OR_LAST_COMMA.sub(_string_only, without))
    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        splitter = JsonSplitter(bare, Path(folder, "large"))
        try:
            while splitter.peek():
                splitter.value()
        except InvalidJson as error:
            return isinstance(error, TruncatedJson)
    return True


def _string_only(match: re.Match[bytes]) -> bytes:
    return match[1] or b""


_RECORD_KEY = re.compile(rb'"facility_id"\s*:')
_LONGEST_KEY = 64


def apparent_records(content: Content) -> int:
    """How many records a file seems to hold that was rejected whole, at least one.

    Counted in what can be unpacked of it, in any encoding.
    """
    count, rest = 0, b""
    try:
        with content.unpacked() as reader:
            while chunk := reader.read(CHUNK_BYTES):
                text = rest + chunk.replace(b"\0", b"")
                end = 0
                for match in _RECORD_KEY.finditer(text):
                    count, end = count + 1, match.end()
                rest = text[max(end, len(text) - _LONGEST_KEY) :]
    except (FileRefused, OSError):
        pass
    return max(count, 1)


# How much of a file is looked at for the place of its records.
_OUTLINED_BYTES = 1 << 20
_SHOWN_KEY = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,39}")
_SHOWN_LISTS = 4


def place_of_records(content: Content) -> str | None:
    """Say where in the JSON of a file its records seem to lie, if not on top; None if nowhere.

    Only keys are named, and of those only such as are no data: `*` stands for the others.
    """
    places: dict[str, set[str]] = {}
    lists: dict[str, None] = {}
    with content.decompressed() as reader:
        beginning = io.BytesIO(read_fully(reader, _OUTLINED_BYTES))
    for path, key in _objects_in(beginning):
        known = places.setdefault(path, set())
        if key in RECORD_KEYS:
            known.add(key)
        if path.endswith("[]"):
            lists[path] = None
    best = max(places, key=lambda path: len(places[path]), default="")
    if len(places.get(best, ())) < 2 or best.strip("[].") == "":
        best = ""
    outer = [path for path in lists if path.strip("[]") and not (best and _is_in(path, best))]
    any_key = ", where * is any key" if "*" in best else ""
    said = [f"records seem to lie in `{best}`{any_key}"] if best else []
    if outer:
        said.append(f"lists of objects in {', '.join(f'`{p}`' for p in outer[:_SHOWN_LISTS])}")
    if not said or (not best and any(known for known in places.values() if known)):
        return None
    return f"{'; '.join(said)}; a record is an object on top, or an item of the one list in it"


def _is_in(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def _objects_in(text: io.BytesIO) -> Iterator[tuple[str, str]]:
    """Each key of each object in JSON, after the path of the object, to the end or first error."""
    import ijson

    path: list[str] = []
    try:
        for event, value in ijson.basic_parse(text, multiple_values=True):
            if event == "map_key":
                yield ".".join(path[:-1]).replace(".[]", "[]"), value
                path[-1] = value if _SHOWN_KEY.fullmatch(value) else "*"
            elif event in ("start_map", "start_array"):
                path.append("" if event == "start_map" else "[]")
            elif event in ("end_map", "end_array"):
                path.pop()
    except (ijson.JSONError, ArithmeticError):
        return
