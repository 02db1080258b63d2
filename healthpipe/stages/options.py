"""Days as a user writes them: the window in which something expires, and which snapshots count.

What a user may decide about the meaning of records, and the SQL values that it comes to.
"""

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from healthpipe.choices import (
    DEFAULT_MONTHS,
    MAX_DAYS,
    MAX_MONTHS,
    Accredited,
    FirstAccreditation,
    Grain,
)
from healthpipe.engines.base import Value
from healthpipe.errors import UsageError
from healthpipe.stages.rules import Rules


@dataclass(frozen=True)
class Window:
    """The days in which an accreditation expires, both ends in."""

    start: datetime.date
    end: datetime.date

    @classmethod
    def ahead(
        cls,
        as_of: datetime.date,
        *,
        months: int | None = None,
        days: int | None = None,
        include_expired: bool = False,
    ) -> "Window":
        """From `as_of` that many calendar months (month end clamped) or days ahead.

        Without either, six months. Raises `UsageError` for both at once or out of range.
        """
        from dateutil.relativedelta import relativedelta

        if months is not None and days is not None:
            raise UsageError("--months and --days exclude each other", "give one of them")
        _require_range("--months", months, MAX_MONTHS)
        _require_range("--days", days, MAX_DAYS)
        if days is None:
            span = relativedelta(months=DEFAULT_MONTHS if months is None else months)
        else:
            span = relativedelta(days=days)
        try:
            end = as_of + span
        except (OverflowError, ValueError):
            end = datetime.date.max
        return cls(datetime.date.min if include_expired else as_of, end)


@dataclass(frozen=True)
class SnapshotChoice:
    """Which snapshots take part: those up to a day, or only the newest."""

    until: datetime.date = datetime.date.max
    newest_only: bool = False

    @classmethod
    def parse(cls, text: str) -> "SnapshotChoice":
        """`latest`, `newest` or a day."""
        if text == "latest":
            return cls()
        if text == "newest":
            return cls(newest_only=True)
        return cls(until=parse_day("--snapshot", text, "latest, newest or a day as YYYY-MM-DD"))

    def __str__(self) -> str:
        if self.newest_only:
            return "newest"
        return "latest" if self.until == datetime.date.max else self.until.isoformat()


def parse_day(option: str, text: str, expected: str = "a day as YYYY-MM-DD") -> datetime.date:
    """A real day written as YYYY-MM-DD and nothing else."""
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise UsageError(f"{option} {text!r} is not {expected}", "for example 2026-11-20")
    return day


def _require_range(option: str, number: int | None, maximum: int) -> None:
    if number is not None and not 0 <= number <= maximum:
        raise UsageError(f"{option} {number} is out of range", f"give 0 to {maximum}")


@dataclass(frozen=True)
class StageOptions:
    """Everything of section 5 that a user may decide, for all stages of a run."""

    as_of: datetime.date
    window: Window
    first_accreditation: FirstAccreditation = FirstAccreditation.LISTED
    accredited: Accredited = Accredited.CURRENT
    only_accredited: bool = False
    snapshot: SnapshotChoice = field(default_factory=SnapshotChoice)
    top: int | None = None
    grain: Grain = Grain.FACILITY
    annotate: bool = False
    include_zero: bool = False
    strict_states: bool = False
    spreadsheet_safe: bool = False
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        if self.annotate and self.grain is Grain.ACCREDITATION:
            raise UsageError(
                "--annotate writes records, --grain accreditation writes none", "drop one of them"
            )

    def values(self) -> dict[str, Value]:
        """What the placeholders of the queries stand for."""
        return {
            "as_of": self.as_of,
            "window_start": self.window.start,
            "window_end": self.window.end,
            "first_accreditation": self.first_accreditation,
            "accredited": self.accredited,
            "only_accredited": self.only_accredited,
            "snapshot_until": self.snapshot.until,
            "newest_only": self.snapshot.newest_only,
            "soonest_first": self.top is not None,
            "include_zero": self.include_zero,
            "strict_states": self.strict_states,
            **self.rules.values(),
        }

    def to_json(self) -> dict[str, Any]:
        """The options as a run record keeps them."""
        return {
            **asdict(self),
            "as_of": self.as_of.isoformat(),
            "window": [self.window.start.isoformat(), self.window.end.isoformat()],
            "snapshot": str(self.snapshot),
            "rules": self.rules.to_json(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "StageOptions":
        """The options that `to_json` wrote."""
        start, end = map(datetime.date.fromisoformat, document["window"])
        typed = {
            "as_of": datetime.date.fromisoformat(document["as_of"]),
            "window": Window(start, end),
            "snapshot": SnapshotChoice.parse(document["snapshot"]),
            "first_accreditation": FirstAccreditation(document["first_accreditation"]),
            "accredited": Accredited(document["accredited"]),
            "grain": Grain(document["grain"]),
            "rules": Rules.from_json(document["rules"]),
        }
        return cls(**{**document, **typed})


# What a user may write about the meaning of records, but for the as-of date.
OPTION_WORDS = (
    "snapshot",
    "months",
    "days",
    "include_expired",
    "first_accreditation",
    "accredited",
    "only_accredited",
    "top",
    "grain",
    "annotate",
    "include_zero",
    "strict_states",
    "spreadsheet_safe",
    "rule",
    "strict",
    "id_pattern",
)
_TYPED = {"first_accreditation": FirstAccreditation, "accredited": Accredited, "grain": Grain}


def options_from_words(as_of: str | None, words: Mapping[str, Any]) -> StageOptions:
    """The options from what a user wrote, under `OPTION_WORDS`; any may be left out.

    Without `as_of` today is the UTC date now. Raises `UsageError`.
    """
    unknown = set(words) - set(OPTION_WORDS)
    if unknown:
        raise UsageError(f"there is no option {min(unknown)}", f"known: {', '.join(OPTION_WORDS)}")
    if as_of is None:
        today = datetime.datetime.now(datetime.UTC).date()
    else:
        today = parse_day("--as-of", as_of)
    names = {field.name for field in fields(StageOptions)} & set(words) - {"snapshot"}
    own: dict[str, Any] = {name: words[name] for name in names}
    own |= {name: kind(own[name]) for name, kind in _TYPED.items() if name in names}
    return StageOptions(
        today,
        Window.ahead(
            today,
            months=words.get("months"),
            days=words.get("days"),
            include_expired=words.get("include_expired", False),
        ),
        snapshot=SnapshotChoice.parse(words.get("snapshot", "latest")),
        rules=Rules.choose(
            words.get("rule") or (),
            strict=words.get("strict", False),
            id_pattern=words.get("id_pattern"),
        ),
        **own,
    )
