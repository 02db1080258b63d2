"""Plant defective records, superseded ones and defective files, in files of every shape."""

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice, repeat
from typing import ClassVar

from healthpipe.contract import Reason
from healthpipe.generate.defects import DEFECTS, EDGE_CASES, Defect
from healthpipe.generate.drafts import Draft, Drafter, Line
from healthpipe.generate.records import Plan
from healthpipe.generate.shapes import (
    ARRAY,
    LINE_SHAPES,
    LINES,
    PRETTY_ARRAY,
    PRETTY_OBJECTS,
    RECORD_SHAPES,
    WRAPPER,
    Shape,
    Writer,
    stored_gzip,
)

_TRAILER_BYTES = 8


@dataclass(frozen=True)
class BrokenFile:
    """A kind of file that is rejected whole. One of it is enough."""

    name: str
    suffix: str
    reason: Reason
    write: Writer
    is_rare: ClassVar[bool] = True


def _cut_in_half(write: Writer) -> Writer:
    def cut(records: Sequence[bytes]) -> bytes:
        content = stored_gzip(write(records))
        return content[: len(content) // 2]

    return cut


def _without_trailer(records: Sequence[bytes]) -> bytes:
    return stored_gzip(LINES.write(records))[:-_TRAILER_BYTES]


def _with_wrong_checksum(records: Sequence[bytes]) -> bytes:
    content = bytearray(stored_gzip(LINES.write(records)))
    content[-_TRAILER_BYTES] ^= 1
    return bytes(content)


def _unclosed(write: Writer) -> Writer:
    return lambda records: write(records).rstrip(b"]}\n")


BROKEN_FILES = (
    BrokenFile("gzip-cut", ".jsonl.gz", Reason.FILE_TRUNCATED, _cut_in_half(LINES.write)),
    BrokenFile("gzip-cut-array", ".json.gz", Reason.FILE_TRUNCATED, _cut_in_half(ARRAY.write)),
    BrokenFile("gzip-without-end", ".ndjson.gz", Reason.FILE_TRUNCATED, _without_trailer),
    BrokenFile("gzip-checksum", ".txt.gz", Reason.FILE_TRUNCATED, _with_wrong_checksum),
    BrokenFile("array-unclosed", ".json", Reason.FILE_NOT_JSON, _unclosed(ARRAY.write)),
    BrokenFile(
        "array-pretty-unclosed", ".json", Reason.FILE_NOT_JSON, _unclosed(PRETTY_ARRAY.write)
    ),
    BrokenFile(
        "objects-pretty-unclosed", ".json", Reason.FILE_NOT_JSON, _unclosed(PRETTY_OBJECTS.write)
    ),
    BrokenFile("wrapper-unclosed", ".json", Reason.FILE_NOT_JSON, _unclosed(WRAPPER.write)),
)

# Files without any line: the suffix and the content by name.
EMPTY_FILES = {
    "empty": (".json", b""),
    "empty-gzip": (".jsonl.gz", stored_gzip(b"")),
    "only-blank-lines": (".ndjson", b"\n \t\r\n\r\n"),
    "only-a-mark": (".txt", b"\xef\xbb\xbf"),
}


_AGE = datetime.timedelta(days=30)


@dataclass(frozen=True)
class SupersededRecord:
    """A kind of superseded record. `create_lines` gives it, after the record that supersedes it.

    With `is_over_clean` a clean record supersedes it instead. `needs_lines` is set where both have
    to be lines of one newline-delimited file.
    """

    name: str
    create_lines: Callable[[Draft], list[Line]]
    needs_lines: bool = False
    is_over_clean: bool = False
    is_rare: ClassVar[bool] = False


def _superseded_content(draft: Draft) -> bytes:
    """Change a draft's figures, so that choosing it by mistake shows in the results."""
    draft.record["employee_count"] += 100_000
    draft.record["location"]["state"] = "GU"
    return draft.content


def _older(draft: Draft) -> list[Line]:
    winner = Line(draft.content, facility=draft.facility)
    day = datetime.date.fromisoformat(draft.record["snapshot_date"])
    draft.record["snapshot_date"] = (day - _AGE).isoformat()
    return [winner, Line(_superseded_content(draft))]


def _lesser_line(draft: Draft) -> list[Line]:
    winner = Line(draft.content, facility=draft.facility)
    loser = Line(b" " + _superseded_content(draft), (Reason.ORDER_UNDECIDED,))
    return [winner, loser]


def _repeated_line(draft: Draft) -> list[Line]:
    return [Line(draft.content, facility=draft.facility), Line(draft.content)]


def _lesser_source(draft: Draft) -> list[Line]:
    return [Line(_superseded_content(draft))]


SUPERSEDED_RECORDS = (
    SupersededRecord("older_snapshot", _older),
    SupersededRecord("lesser_source", _lesser_source, is_over_clean=True),
    SupersededRecord("lesser_line", _lesser_line, needs_lines=True),
    SupersededRecord("repeated_line", _repeated_line, needs_lines=True),
)


Kind = Defect | SupersededRecord | BrokenFile

KINDS: tuple[Kind, ...] = (*DEFECTS, *SUPERSEDED_RECORDS, *BROKEN_FILES)
# Files are created in memory for so many defective records at a time.
BATCH_RECORDS = 1000


@dataclass(frozen=True)
class PlantedFile:
    """A file with defective records: its name in the snapshot's folder, its bytes and lines."""

    name: str
    shape: str
    content: bytes
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Batch:
    """The kinds of some defective records, and the files that they are in."""

    kinds: tuple[Kind, ...]
    files: tuple[PlantedFile, ...]


def planted_kinds(count: int) -> Iterator[Kind]:
    """Yield the kind of each defective record: all in turn, then those not rare, repeated."""
    common = [kind for kind in KINDS if not kind.is_rare]
    return islice(chain(KINDS, chain.from_iterable(repeat(common))), count)


def planted_batches(plan: Plan) -> Iterator[Batch]:
    """Yield the batches of a plan's defective records, lazily, and the same ones each time."""
    drafter = Drafter(plan.seed, plan.snapshot)
    kinds = planted_kinds(plan.defects)
    for first in range(plan.start_index, plan.start_index + plan.defects, BATCH_RECORDS):
        batch = tuple(islice(kinds, BATCH_RECORDS))
        planter = _Planter(drafter, first)
        for number, kind in enumerate(batch, first):
            planter.plant(kind, number, plan.indexes[(number - plan.start_index) % plan.records])
        empty = _empty_files(first) if first == plan.start_index else ()
        yield Batch(batch, (*planter.files(), *empty))


def _empty_files(number: int) -> tuple[PlantedFile, ...]:
    return tuple(
        PlantedFile(f"defects-{name}-{number}{suffix}", name, content, ())
        for name, (suffix, content) in EMPTY_FILES.items()
    )


class _Planter:
    """Distributes defective records over one file of each shape, each after an edge case.

    The edge case comes first: a file whose first line is a JSON object is newline-delimited.
    """

    def __init__(self, drafter: Drafter, number: int) -> None:
        self._drafter = drafter
        self._number = number
        self._lines_by_shape: dict[Shape, list[Line]] = {}
        self._broken_files: list[PlantedFile] = []
        self._all_shapes = cycle((*RECORD_SHAPES, *LINE_SHAPES))
        self._line_shapes = cycle(LINE_SHAPES)

    def plant(self, kind: Kind, number: int, clean_index: int) -> None:
        """Plant one defective record. A broken file is a file of its own."""
        if isinstance(kind, BrokenFile):
            self._add_broken_file(kind, number)
            return
        if isinstance(kind, Defect):
            groups = [[kind.line(self._drafter.draft("DEF", number))]]
        elif kind.is_over_clean:
            groups = [kind.create_lines(self._drafter.draft("FAC", clean_index))]
        else:
            lines = kind.create_lines(self._drafter.draft("DEF", number))
            groups = [lines] if kind.needs_lines else [[line] for line in lines]
        edge_case = [self._edge_case("ODD", number)]
        for group in groups:
            self._add_lines(edge_case, group, needs_lines=kind.needs_lines)
            edge_case = []

    def files(self) -> Iterator[PlantedFile]:
        """Yield the files with all records planted so far."""
        for shape, lines in self._lines_by_shape.items():
            name = f"defects-{shape.name}-{self._number}{shape.suffix}"
            content = shape.write([line.content for line in lines])
            yield PlantedFile(name, shape.name, content, tuple(lines))
        yield from self._broken_files

    def _add_lines(self, edge_case: list[Line], group: list[Line], *, needs_lines: bool) -> None:
        """Add lines to the next shape; a file of a single record has no edge case."""
        for shape in self._line_shapes if needs_lines else self._all_shapes:
            if not shape.is_single:
                self._lines_by_shape.setdefault(shape, []).extend(edge_case + group)
                return
            if shape not in self._lines_by_shape:
                self._lines_by_shape[shape] = group
                return

    def _add_broken_file(self, kind: BrokenFile, number: int) -> None:
        lost = [self._edge_case(prefix, number).content for prefix in ("LST", "LSU", "LSV")]
        name = f"defects-{kind.name}-{number}{kind.suffix}"
        line = Line(b"", (kind.reason,))
        self._broken_files.append(PlantedFile(name, kind.name, kind.write(lost), (line,)))

    def _edge_case(self, prefix: str, number: int) -> Line:
        draft = self._drafter.draft(prefix, number)
        EDGE_CASES[number % len(EDGE_CASES)](draft)
        return Line(draft.content, facility=draft.facility)
