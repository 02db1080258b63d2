"""Plant defective records: distribute them over files of every shape."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice, repeat

from healthpipe.generate.defects import DEFECTS, EDGE_CASES, Defect
from healthpipe.generate.drafts import Drafter, Line
from healthpipe.generate.file_defects import (
    BROKEN_FILES,
    EMPTY_FILES,
    SUPERSEDED_RECORDS,
    BrokenFile,
    SupersededRecord,
)
from healthpipe.generate.records import Plan
from healthpipe.generate.shapes import LINE_SHAPES, RECORD_SHAPES, Shape

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
