"""Bad records dealt over files of every shape."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice, repeat

from healthpipe.generate.defects import DEFECTS, ODDITIES, Defect
from healthpipe.generate.drafts import Drafter, Line
from healthpipe.generate.file_defects import (
    BROKEN_FILES,
    EMPTY_FILES,
    RIVALRIES,
    BrokenFile,
    Rivalry,
)
from healthpipe.generate.records import Plan
from healthpipe.generate.shapes import LINE_SHAPES, RECORD_SHAPES, Shape

Kind = Defect | Rivalry | BrokenFile

KINDS: tuple[Kind, ...] = (*DEFECTS, *RIVALRIES, *BROKEN_FILES)
# Files that are held in memory at once have so many bad records together.
BATCH = 1000


@dataclass(frozen=True)
class PlantedFile:
    """A file with bad records: its name in the snapshot's folder, its bytes and its lines."""

    name: str
    shape: str
    content: bytes
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Batch:
    """Bad records that lie in files together: of these kinds, in these files."""

    kinds: tuple[Kind, ...]
    files: tuple[PlantedFile, ...]


def planted_kinds(count: int) -> Iterator[Kind]:
    """The kind of each bad record: all kinds in turn, then those that are not rare, again."""
    common = [kind for kind in KINDS if not kind.is_rare]
    return islice(chain(KINDS, chain.from_iterable(repeat(common))), count)


def planted_batches(plan: Plan) -> Iterator[Batch]:
    """The bad records of a plan.

    Each batch is made when it is asked for, and the same ones come each time.
    """
    drafter = Drafter(plan.seed, plan.snapshot)
    kinds = planted_kinds(plan.defects)
    for first in range(plan.start_index, plan.start_index + plan.defects, BATCH):
        batch = tuple(islice(kinds, BATCH))
        dealer = _Dealer(drafter, first)
        for number, kind in enumerate(batch, first):
            dealer.deal(kind, number, plan.indexes[(number - plan.start_index) % plan.records])
        empty = _empty_files(first) if first == plan.start_index else ()
        yield Batch(batch, (*dealer.files(), *empty))


def _empty_files(number: int) -> tuple[PlantedFile, ...]:
    return tuple(
        PlantedFile(f"defects-{name}-{number}{suffix}", name, content, ())
        for name, (suffix, content) in EMPTY_FILES.items()
    )


class _Dealer:
    """Deals bad records over one file of each shape, each beside a good one.

    The good one comes first: a file whose first line is a JSON object is newline-delimited.
    """

    def __init__(self, drafter: Drafter, number: int) -> None:
        self._drafter = drafter
        self._number = number
        self._held: dict[Shape, list[Line]] = {}
        self._broken: list[PlantedFile] = []
        self._all_shapes = cycle((*RECORD_SHAPES, *LINE_SHAPES))
        self._line_shapes = cycle(LINE_SHAPES)

    def deal(self, kind: Kind, number: int, clean_index: int) -> None:
        """Plant one bad record. A broken file is a file of its own."""
        if isinstance(kind, BrokenFile):
            self._break(kind, number)
            return
        if isinstance(kind, Defect):
            groups = [[kind.line(self._drafter.draft("DEF", number))]]
        elif kind.is_over_clean:
            groups = [kind.lines(self._drafter.draft("FAC", clean_index))]
        else:
            lines = kind.lines(self._drafter.draft("DEF", number))
            groups = [lines] if kind.needs_lines else [[line] for line in lines]
        neighbour = [self._odd("ODD", number)]
        for group in groups:
            self._place(neighbour, group, needs_lines=kind.needs_lines)
            neighbour = []

    def files(self) -> Iterator[PlantedFile]:
        """The files with all that was dealt."""
        for shape, lines in self._held.items():
            name = f"defects-{shape.name}-{self._number}{shape.suffix}"
            content = shape.write([line.content for line in lines])
            yield PlantedFile(name, shape.name, content, tuple(lines))
        yield from self._broken

    def _place(self, neighbour: list[Line], group: list[Line], *, needs_lines: bool) -> None:
        for shape in self._line_shapes if needs_lines else self._all_shapes:
            if not shape.is_single:
                self._held.setdefault(shape, []).extend(neighbour + group)
                return
            if shape not in self._held:
                self._held[shape] = group
                return

    def _break(self, kind: BrokenFile, number: int) -> None:
        lost = [self._odd(prefix, number).content for prefix in ("LST", "LSU", "LSV")]
        name = f"defects-{kind.name}-{number}{kind.suffix}"
        line = Line(b"", (kind.reason,))
        self._broken.append(PlantedFile(name, kind.name, kind.write(lost), (line,)))

    def _odd(self, prefix: str, number: int) -> Line:
        draft = self._drafter.draft(prefix, number)
        ODDITIES[number % len(ODDITIES)](draft)
        return Line(draft.content, facility=draft.facility)
