"""Find the line numbers of rejected lines, by one scan of their file when they are asked for."""

from collections import Counter
from collections.abc import Collection, Iterator

from healthpipe.ingest.content import BLANK, DAMAGED_GZIP, Content, Reader, pieces

# The bytes of a line, and which of the equal lines of its file it is, from 1.
Occurrence = tuple[bytes, int]


def line_numbers(content: Content, wanted: Collection[Occurrence]) -> dict[Occurrence, int]:
    """Find the numbers, from 1, of lines of a file, plain or gzip, without those that it lacks.

    Lines are cut as ingest cuts them, and blank ones are counted, as an editor does.
    """
    sought = {line for line, _ in wanted}
    longest = max(map(len, sought), default=0)
    seen: Counter[bytes] = Counter()
    found: dict[Occurrence, int] = {}
    try:
        with content.decompressed() as reader:
            for number, line in enumerate(_lines(reader, longest), 1):
                if line not in sought:
                    continue
                seen[line] += 1
                if (line, seen[line]) in wanted:
                    found[line, seen[line]] = number
                if len(found) == len(wanted):
                    break
    except (OSError, *DAMAGED_GZIP):  # gone, or no longer what it was
        return found
    return found


def lines_of(content: Content) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, plain or gzip, with their numbers from 1, but for blank ones."""
    with content.decompressed() as reader:
        for number, line in enumerate(_lines(reader), 1):
            if line.strip(BLANK):
                yield number, line


def _lines(reader: Reader, longest: int | None = None) -> Iterator[bytes]:
    """The lines of a stream; of one longer than `longest` a beginning that is longer, too."""
    content = b""
    for piece in pieces(reader):
        if longest is None or len(content) <= longest:
            content += piece.content
        if piece.last:
            yield content
            content = b""
    if content:
        yield content
