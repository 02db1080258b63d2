"""A text in pieces of somebody's choice, as the file that ijson reads.

JSON text cut into its values, each as it was written, in constant memory.

The scanner of the standard library tells where a value ends. One too large or too deep for that
is followed by ijson, piece by piece, into a file.
"""

import codecs
import json
import re
from collections.abc import Iterator
from decimal import InvalidOperation, localcontext
from pathlib import Path
from typing import BinaryIO

import ijson

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.contract import MAX_LINE_BYTES
from healthpipe.ingest.content import Reader
from healthpipe.storage.private import make_private_file

_DIGITS_APART = 500
_MANY_DIGITS = re.compile(rb"[0-9]{1000,}")


class TextFeed:
    """Pieces of text as the file that a parser reads; all are kept in another file, too."""

    def __init__(self, pieces: Iterator[bytes], kept: BinaryIO) -> None:
        self._pieces = pieces
        self._kept = kept
        self.ended = False

    def read(self, size: int) -> bytes:
        """The next piece, of whatever size; nothing at the end."""
        if size == 0:
            return b""
        piece = next(self._pieces, b"")
        self.ended = not piece
        self._kept.write(piece)
        return _with_short_numbers(piece)


def _with_short_numbers(piece: bytes) -> bytes:
    """The same JSON, without numbers of more digits than Python converts."""
    sample = piece[::_DIGITS_APART]
    if not re.search(rb"[0-9]{2}", sample):
        return piece
    return _MANY_DIGITS.sub(b"1", piece)


CHUNK = 1 << 20
# A pretty-printed value may be this large before its white space is taken out.
MOST_HELD = 2 * MAX_LINE_BYTES
REPLACEMENT = "\ufffd"
_SPACE = re.compile(r"[ \t\r\n]*")
# After a number, at the end of what is there.
_NUMBER_GOES_ON = re.compile(r"(?:\.|[eE][+-]?)?")
# What may be left of a word, a number or an escape that is cut.
_CUT_WORD = re.compile(r"t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|-")
_CUT_ESCAPE = re.compile(r"[\\u]{0,2}[0-9a-fA-F]{0,4}")
_CLOSING = {"{": "}", "[": "]"}
_DEEPER = {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}


class InvalidJson(ValueError):
    """The text is not JSON."""


class TruncatedJson(InvalidJson):
    """The text is JSON as far as it goes, but it ends too early."""


def refuse(word: str) -> None:
    """For what Python's decoder takes for JSON: NaN and Infinity."""
    raise ValueError(f"{word} is not JSON")


# Numbers stay text: nobody looks at them here.
_SCAN = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=refuse).raw_decode


class JsonSplitter:
    """A stream of UTF-8 from which values and the marks between them are taken in turn.

    Raises `InvalidJson` or `TruncatedJson` for what is not there. A value too large to
    hold is written to the file `spill`.
    """

    def __init__(self, reader: Reader, spill: Path) -> None:
        self._reader = reader
        self._spill = spill
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._buffer = ""
        self._at = 0
        self._ended = False

    def peek(self) -> str:
        """The next character that is no white space; nothing at the end."""
        while True:
            space = _SPACE.match(self._buffer, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._buffer) or not self._read_on():
                return self._buffer[self._at : self._at + 1]

    def take(self, allowed: str) -> str:
        """The next character that is no white space, one of those allowed."""
        found = self.peek()
        if not found:
            raise TruncatedJson
        if found not in allowed:
            raise InvalidJson
        self._at += 1
        return found

    def value(self) -> str | Path:
        """The text of the next value, on one line; or the file that holds it as it came."""
        self.peek()
        while len(self._buffer) - self._at <= MOST_HELD:
            failure, end = None, None
            try:
                _, end = _SCAN(self._buffer, self._at)
            except ValueError as error:
                failure = error
            except RecursionError:
                break
            # A number may go on in what has not been read.
            goes_on = end is None or _NUMBER_GOES_ON.fullmatch(self._buffer, end)
            if end is not None and (self._ended or not goes_on):
                return self._cut(end)
            if not self._read_on() and failure:
                raise (TruncatedJson if self._is_cut(failure) else InvalidJson) from failure
        return self._followed_value()

    def _is_cut(self, failure: ValueError) -> bool:
        """Whether the text ends where the scanner failed, and not before."""
        if not isinstance(failure, json.JSONDecodeError):
            return False
        rest = failure.doc[failure.pos :]
        if failure.msg.startswith("Invalid \\u"):
            return bool(_CUT_ESCAPE.fullmatch(rest))
        if failure.msg.startswith("Expecting value") and _CUT_WORD.fullmatch(rest):
            return True
        if failure.msg.startswith("Expecting"):
            after_number = failure.doc[failure.pos - 1 : failure.pos].isdigit()
            return not rest.strip() or bool(after_number and _NUMBER_GOES_ON.fullmatch(rest))
        return failure.msg.startswith("Unterminated string")

    def _cut(self, end: int) -> str:
        text, self._at = self._buffer[self._at : end], end
        rest = _NUMBER_GOES_ON.fullmatch(self._buffer, end)
        if rest and rest[0] and text[-1].isdigit():
            raise TruncatedJson
        return _on_one_line(text)

    def _read_on(self) -> bool:
        """Read more; the more is held already, the more, lest a large value be scanned often."""
        if self._ended:
            return False
        raise_if_cancelled()
        chunk = self._reader.read(max(CHUNK, len(self._buffer) - self._at))
        self._ended = not chunk
        try:
            text = self._decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise InvalidJson from error
        if self._ended and self._decoder.getstate()[0]:
            text = REPLACEMENT  # half a character; whether that breaks off is told by its place
        self._buffer = self._buffer[self._at :] + text
        self._at = 0
        return not self._ended

    def _followed_value(self) -> str | Path:
        with make_private_file(self._spill).open("wb") as file:
            self._follow(TextFeed(self._pieces(_CLOSING.get(self.peek())), file))
        if self._spill.stat().st_size > MOST_HELD:
            return self._spill
        text = self._spill.read_bytes().decode()
        self._spill.unlink()
        return _on_one_line(text)

    def _follow(self, pieces: TextFeed) -> None:
        """Parse pieces to the end of a list or object, which is then the end of a piece."""
        depth = 0
        try:
            with localcontext() as context:
                context.traps[InvalidOperation] = False  # 1e99999999999999999999 is a number
                for event, _ in ijson.basic_parse(pieces, multiple_values=True):
                    depth += _DEEPER.get(event, 0)
                    if depth == 0:
                        break
        except ijson.JSONError as error:
            raise (TruncatedJson if pieces.ended else InvalidJson) from error
        if event not in _DEEPER:  # a number or a text that the scanner could not cut
            raise InvalidJson

    def _pieces(self, closing: str | None) -> Iterator[bytes]:
        """What comes next, in pieces that end after each `closing`, or where reading ended."""
        without_quote = 0
        while self._at < len(self._buffer) or self._read_on():
            end = self._buffer.find(closing, self._at) + 1 if closing else 0
            end = end or len(self._buffer)
            piece, self._at = self._buffer[self._at : end], end
            without_quote = 0 if '"' in piece else without_quote + len(piece)
            if without_quote > MOST_HELD:  # one text or number, which a parser would hold
                raise InvalidJson
            yield piece.encode()


def _on_one_line(text: str) -> str:
    """A value without the line ends in it and the indentation after them.

    Strings hold no raw line end, so that nothing in them changes.
    """
    if "\r" in text:
        text = text.replace("\r", "\n")
    return "".join(map(str.lstrip, text.split("\n"))) if "\n" in text else text
