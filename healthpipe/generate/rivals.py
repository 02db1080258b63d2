"""Records that lose against another one of their facility: every way to be superseded."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from healthpipe.generate.drafts import Draft, Line

_AGE = datetime.timedelta(days=30)


@dataclass(frozen=True)
class Rivalry:
    """A kind of superseded record: the loser, and the record that wins unless a clean one does.

    `needs_lines` where both have to be lines of one newline-delimited file.
    """

    name: str
    lines: Callable[[Draft], list[Line]]
    needs_lines: bool = False
    is_over_clean: bool = False
    is_rare: ClassVar[bool] = False


def _loser(draft: Draft) -> bytes:
    """The draft with other figures than the winner's: a wrong choice shows in the results."""
    draft.record["employee_count"] += 100_000
    draft.record["location"]["state"] = "GU"
    return draft.content


def _older(draft: Draft) -> list[Line]:
    winner = Line(draft.content, facility=draft.facility)
    day = datetime.date.fromisoformat(draft.record["snapshot_date"])
    draft.record["snapshot_date"] = (day - _AGE).isoformat()
    return [winner, Line(_loser(draft))]


def _lesser_line(draft: Draft) -> list[Line]:
    winner = Line(draft.content, facility=draft.facility)
    return [winner, Line(b" " + _loser(draft))]


def _repeated_line(draft: Draft) -> list[Line]:
    return [Line(draft.content, facility=draft.facility), Line(draft.content)]


def _lesser_source(draft: Draft) -> list[Line]:
    return [Line(_loser(draft))]


RIVALRIES = (
    Rivalry("older_snapshot", _older),
    Rivalry("lesser_source", _lesser_source, is_over_clean=True),
    Rivalry("lesser_line", _lesser_line, needs_lines=True),
    Rivalry("repeated_line", _repeated_line, needs_lines=True),
)
