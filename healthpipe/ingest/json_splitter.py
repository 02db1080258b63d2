"""Split JSON text into its values, each as it was written, in constant memory.

The scanner of the standard library finds where a value ends. One too large or too deep for that is
parsed by ijson, piece by piece, while it is copied to a file.
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
from healthpipe.ingest.packing import Reader
from healthpipe.storage.scratch import make_private_file

_SAMPLE_STEP = 500
_MANY_DIGITS = re.compile(rb"[0-9]{1000,}")


class TextFeed:
    """Pieces of text as a file that ijson reads; each is also written to the file `copy`."""

    def __init__(self, pieces: Iterator[bytes], copy: BinaryIO) -> None:
        self._pieces = pieces
        self._copy = copy
        self.ended = False

    def read(self, size: int) -> bytes:
        """The next piece, of whatever size; empty at the end."""
        if size == 0:
            return b""
        piece = next(self._pieces, b"")
        self.ended = not piece
        self._copy.write(piece)
        return _shorten_numbers(piece)


def _shorten_numbers(piece: bytes) -> bytes:
    """The same JSON without numbers of more digits than Python converts to `int`:
    https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
    """
    sample = piece[::_SAMPLE_STEP]
    if not re.search(rb"[0-9]{2}", sample):
        return piece
    return _MANY_DIGITS.sub(b"1", piece)


CHUNK = 1 << 20
# The most characters that are held: a pretty-printed value before its white space is removed.
MAX_HELD = 2 * MAX_LINE_BYTES
REPLACEMENT = "\ufffd"
_SPACE = re.compile(r"[ \t\r\n]*")
# What follows a number at the end of the buffer, if the number may go on.
_NUMBER_TAIL = re.compile(r"(?:\.|[eE][+-]?)?")
# The rest of a word, a number or an escape that is cut off.
_CUT_WORD = re.compile(r"t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|-")
_CUT_ESCAPE = re.compile(r"[\\u]{0,2}[0-9a-fA-F]{0,4}")
_CLOSING = {"{": "}", "[": "]"}
_DEPTH_CHANGES = {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}


class InvalidJson(ValueError):
    """The text is not JSON."""


class TruncatedJson(InvalidJson):
    """The text ends before its JSON does."""


def reject_constant(word: str) -> None:
    """Raise `ValueError` for NaN and Infinity, which Python's decoder takes for JSON."""
    raise ValueError(f"{word} is not JSON")


# Numbers stay text: they are not needed here.
_SCAN = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=reject_constant).raw_decode


class JsonSplitter:
    """Takes values and the punctuation between them from a stream of UTF-8, in turn.

    Raises `InvalidJson` or `TruncatedJson` where something else comes. A value too large to hold is
    written to the file `spill`. The text begins on the line of the number `line`.
    """

    def __init__(self, reader: Reader, spill: Path, line: int = 1) -> None:
        self.spill = spill
        self._reader = reader
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._buffer = ""
        self._position = 0
        self._ended = False
        # The number of the line at the index `_counted` of the buffer.
        self._line = line
        self._counted = 0
        self._is_after_cr = False

    @property
    def line(self) -> int:
        """The number of the line on which the next value begins, as an editor counts lines.

        White space before the value has to be passed: see `peek`.
        """
        self._count_lines()
        return self._line

    def peek(self) -> str:
        """The next character that is no white space, without taking it; empty at the end."""
        while True:
            space = _SPACE.match(self._buffer, self._position)
            self._position = space.end() if space else self._position
            if self._position < len(self._buffer) or not self._read_more():
                return self._buffer[self._position : self._position + 1]

    def take(self, allowed: str) -> str:
        """Take the next character that is no white space, which has to be one of `allowed`."""
        found = self.peek()
        if not found:
            raise TruncatedJson
        if found not in allowed:
            raise InvalidJson
        self._position += 1
        return found

    def value(self) -> str | Path:
        """Take the next value: its text, or the file that holds it, as it came."""
        self.peek()
        while len(self._buffer) - self._position <= MAX_HELD:
            failure, end = None, None
            try:
                _, end = _SCAN(self._buffer, self._position)
            except ValueError as error:
                failure = error
            except RecursionError:
                break
            # A number may go on in what has not been read.
            may_continue = end is None or _NUMBER_TAIL.fullmatch(self._buffer, end)
            if end is not None and (self._ended or not may_continue):
                return self._take_until(end)
            if not self._read_more() and failure:
                raise (TruncatedJson if self._is_cut(failure) else InvalidJson) from failure
        return self._take_large_value()

    def _is_cut(self, failure: ValueError) -> bool:
        """Whether the scanner failed because the text ends there, not because it is wrong."""
        if not isinstance(failure, json.JSONDecodeError):
            return False
        rest = failure.doc[failure.pos :]
        if failure.msg.startswith("Invalid \\u"):
            return bool(_CUT_ESCAPE.fullmatch(rest))
        if failure.msg.startswith("Expecting value") and _CUT_WORD.fullmatch(rest):
            return True
        if failure.msg.startswith("Expecting"):
            after_number = failure.doc[failure.pos - 1 : failure.pos].isdigit()
            return not rest.strip() or bool(after_number and _NUMBER_TAIL.fullmatch(rest))
        return failure.msg.startswith("Unterminated string")

    def _take_until(self, end: int) -> str:
        """Take the value that ends at the buffer's index `end`."""
        text, self._position = self._buffer[self._position : end], end
        rest = _NUMBER_TAIL.fullmatch(self._buffer, end)
        if rest and rest[0] and text[-1].isdigit():
            raise TruncatedJson
        return text

    def _count_lines(self) -> None:
        """Count the lines that end before the present position."""
        passed = self._buffer[self._counted : self._position]
        self._counted = self._position
        if "\r" in passed or self._is_after_cr:
            # The LF of a CR LF is no line of its own.
            self._line += passed.count("\r") - passed.count("\r\n")
            self._line -= self._is_after_cr and passed.startswith("\n")
            self._is_after_cr = passed.endswith("\r") if passed else self._is_after_cr
        self._line += passed.count("\n")

    def _read_more(self) -> bool:
        """Read as much again as is held, lest a large value be scanned often; False at the end."""
        if self._ended:
            return False
        raise_if_cancelled()
        chunk = self._reader.read(max(CHUNK, len(self._buffer) - self._position))
        self._ended = not chunk
        try:
            text = self._decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise InvalidJson from error
        if self._ended and self._decoder.getstate()[0]:
            text = REPLACEMENT  # part of a character: cut off within a string, no JSON elsewhere
        self._count_lines()
        self._buffer = self._buffer[self._position :] + text
        self._position = self._counted = 0
        return not self._ended

    def _take_large_value(self) -> str | Path:
        """Take a value that the scanner cannot, by way of the file `spill`."""
        with make_private_file(self.spill).open("wb") as file:
            self._parse_to_end(TextFeed(self._pieces(_CLOSING.get(self.peek())), file))
        if self.spill.stat().st_size > MAX_HELD:
            return self.spill
        text = self.spill.read_bytes().decode()
        self.spill.unlink()
        return text

    def _parse_to_end(self, pieces: TextFeed) -> None:
        """Parse pieces to the end of an array or object, which is then the end of a piece."""
        depth = 0
        try:
            with localcontext() as context:
                context.traps[InvalidOperation] = False  # 1e99999999999999999999 is a number
                for event, _ in ijson.basic_parse(pieces, multiple_values=True):
                    depth += _DEPTH_CHANGES.get(event, 0)
                    if depth == 0:
                        break
        except ijson.JSONError as error:
            raise (TruncatedJson if pieces.ended else InvalidJson) from error
        if event not in _DEPTH_CHANGES:  # a number or a text that the scanner could not cut
            raise InvalidJson

    def _pieces(self, closing: str | None) -> Iterator[bytes]:
        """What comes next, in pieces that end after each `closing` or where a read ended."""
        without_quote = 0
        while self._position < len(self._buffer) or self._read_more():
            end = self._buffer.find(closing, self._position) + 1 if closing else 0
            end = end or len(self._buffer)
            piece, self._position = self._buffer[self._position : end], end
            without_quote = 0 if '"' in piece else without_quote + len(piece)
            if without_quote > MAX_HELD:  # one text or number, which a parser would hold
                raise InvalidJson
            yield piece.encode()


def on_one_line(text: str) -> str:
    """A value without its line ends and the indentation after them.

    Strings in JSON hold no raw line end, so nothing in them changes.
    """
    if "\r" in text:
        text = text.replace("\r", "\n")
    return "".join(map(str.lstrip, text.split("\n"))) if "\n" in text else text
