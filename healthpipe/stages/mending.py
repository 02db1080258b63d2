"""Which rejected line each mended one answers."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from healthpipe.contract import TEXT_SPACE
from healthpipe.errors import ReplayRefused
from healthpipe.stages.answers import Answer
from healthpipe.stages.resolutions import RejectedLine

# Every text from every quote on, for in a broken line nobody knows which quote begins one.
_TEXTS = re.compile(rb'(?=("(?:[^"\\]|\\.){1,500}"))')
_NUMBERS = re.compile(rb"[:,\[][ \t]*([0-9]{1,18})(?=[ \t]*(?:[,}\]]|$))")
_NARROW = "narrow with --reason and --source, or mend what `healthpipe quarantine export` wrote"


@dataclass(frozen=True)
class MendedLine:
    """A line of a file of mended lines, by its number there, as it was judged."""

    number: int
    content: bytes
    reasons: tuple[str, ...]
    is_rejected: bool
    facility_id: str | None


def answers_in_place(
    lines: Sequence[MendedLine], unanswered: Iterable[RejectedLine]
) -> list[Answer]:
    """What the accepted ones of as many lines as there are unanswered ones answer: by place."""
    pairs = zip(lines, unanswered, strict=True)
    return [_answer(rejected) for line, rejected in pairs if not line.is_rejected]


def answers_by_id(lines: Sequence[MendedLine], unanswered: Iterable[RejectedLine]) -> list[Answer]:
    """What the accepted lines answer: each the one line that names its facility.

    Raises `ReplayRefused` where none does or several do, or where two lines answer one.
    """
    mended = [line for line in lines if not line.is_rejected]
    ids = {line.facility_id or "" for line in mended}
    naming: defaultdict[str, list[Answer]] = defaultdict(list)
    for rejected in unanswered:
        for facility in ids & _names_in(rejected.line or b""):
            naming[facility].append(_answer(rejected))
    answerers: dict[str, int] = {}
    for line in mended:
        facility = line.facility_id or ""
        if len(naming[facility]) != 1:
            raise ReplayRefused(
                f"line {line.number} names the facility of {len(naming[facility])} unanswered"
                " rejected lines where it should answer one; nothing was added",
                _NARROW,
            )
        if facility in answerers:
            raise ReplayRefused(
                f"lines {answerers[facility]} and {line.number} name the same facility and answer"
                " the same rejected line; nothing was added",
                _NARROW,
            )
        answerers[facility] = line.number
    return [naming[line.facility_id or ""][0] for line in mended]


def _answer(rejected: RejectedLine) -> Answer:
    return Answer(rejected.digest, rejected.source, rejected.reasons)


def _names_in(line: bytes) -> set[str]:
    """All texts of a line, trimmed and not blank, and its whole numbers: what may be an id."""
    names = {found[1].decode() for found in _NUMBERS.finditer(line)}
    for found in _TEXTS.finditer(line):
        try:
            names.add(json.loads(found[1]).strip(TEXT_SPACE))
        except ValueError:
            continue
    return names - {""}
