"""The options about the meaning of records: as a user writes them, checked, and as SQL values."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType

from healthpipe.choices import (
    DEFAULT_MONTHS,
    MAX_DAYS,
    MAX_MONTHS,
    Accredited,
    FirstAccreditation,
    Grain,
    Renewals,
)
from healthpipe.engines.base import Value
from healthpipe.errors import UsageError
from healthpipe.ingest.packing import DEFAULT_LIMITS, Limits
from healthpipe.stages.rules import NullWords, Rules


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
        """The window from `as_of` that many calendar months (month end clamped) or days ahead.

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
        """Parse `latest`, `newest` or a day. Raises `UsageError`."""
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
    """Parse a real day, written as YYYY-MM-DD and nothing else. Raises `UsageError`."""
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
    """The checked options about the meaning of records, for all stages of a run."""

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
    unpack_limits: Limits = DEFAULT_LIMITS
    null_words: NullWords = field(default_factory=NullWords)
    renewals: Renewals = Renewals.REPLACE

    def __post_init__(self) -> None:
        if self.annotate and self.grain is Grain.ACCREDITATION:
            raise UsageError(
                "--annotate writes records, --grain accreditation writes none", "drop one of them"
            )

    def values(self) -> dict[str, Value]:
        """The values of the placeholders of the queries."""
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
            "renewals": self.renewals,
            **self.rules.values(),
            **self.null_words.values(),
        }

    def to_json(self) -> dict[str, Any]:
        """The options as a run record keeps them."""
        return {
            **asdict(self),
            "as_of": self.as_of.isoformat(),
            "window": [self.window.start.isoformat(), self.window.end.isoformat()],
            "snapshot": str(self.snapshot),
            "rules": self.rules.to_json(),
            "null_words": self.null_words.to_json(),
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
            "unpack_limits": Limits(**document.get("unpack_limits", {})),
            # Runs before there were any know none.
            "null_words": NullWords.from_json(document.get("null_words", ())),
            # A document without it was written when there was only this reading.
            "renewals": Renewals(document.get("renewals", Renewals.SEPARATE)),
        }
        return cls(**{**document, **typed})


T = TypeVar("T")
# What a user may write that says what is so without it.
DEFAULTS = {
    "snapshot": "latest",
    "first_accreditation": FirstAccreditation.LISTED,
    "accredited": Accredited.CURRENT,
    "grain": Grain.FACILITY,
    "renewals": Renewals.REPLACE,
}


@dataclass(frozen=True)
class RawOptions:
    """The options about the meaning of records, but for the as-of date, as a user wrote them.

    One that was not written is UNSET, for a request's document tells that from null.
    """

    snapshot: str | UnsetType = UNSET
    months: int | UnsetType | None = UNSET
    days: int | UnsetType | None = UNSET
    include_expired: bool | UnsetType = UNSET
    renewals: str | UnsetType = UNSET
    first_accreditation: str | UnsetType = UNSET
    accredited: str | UnsetType = UNSET
    only_accredited: bool | UnsetType = UNSET
    top: int | UnsetType | None = UNSET
    grain: str | UnsetType = UNSET
    annotate: bool | UnsetType = UNSET
    include_zero: bool | UnsetType = UNSET
    strict_states: bool | UnsetType = UNSET
    spreadsheet_safe: bool | UnsetType = UNSET
    rule: Sequence[str] | UnsetType | None = UNSET
    strict: bool | UnsetType = UNSET
    id_pattern: str | UnsetType | None = UNSET
    unpack_limit: Sequence[str] | UnsetType | None = UNSET
    null_words: str | UnsetType | None = UNSET

    def to_json(self) -> dict[str, Any]:
        """Serialize the options that were written; `from_json` reads them."""
        return {name: value for name, value in vars(self).items() if value is not UNSET}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RawOptions":
        """Read the options of a document. Raises `UsageError` for an unknown one."""
        known = [field.name for field in fields(cls)]
        if unknown := set(document) - set(known):
            raise UsageError(f"there is no option {min(unknown)}", f"known: {', '.join(known)}")
        return cls(**document)

    def flags(self, *names: str) -> dict[str, Any]:
        """Return the options that were written, without defaults, for a command to suggest.

        With `names` only those.
        """
        return {
            name: value
            for name, value in self.to_json().items()
            if (not names or name in names) and value != DEFAULTS.get(name)
        }

    def checked(self, as_of: str | None) -> StageOptions:
        """Check the options. Without `as_of` today is the UTC date now. Raises `UsageError`."""
        if as_of is None:
            today = datetime.datetime.now(datetime.UTC).date()
        else:
            today = parse_day("--as-of", as_of)
        window = Window.ahead(
            today,
            months=_or(self.months, None),
            days=_or(self.days, None),
            include_expired=_or(self.include_expired, False),
        )
        moves: Sequence[str] | None = _or(self.rule, None)
        limits: Sequence[str] | None = _or(self.unpack_limit, None)
        rules = Rules.choose(
            moves or (),
            strict=_or(self.strict, False),
            id_pattern=_or(self.id_pattern, None),
        )
        null_words: str | None = _or(self.null_words, None)
        return StageOptions(
            today,
            window,
            first_accreditation=FirstAccreditation(
                _or(self.first_accreditation, FirstAccreditation.LISTED)
            ),
            accredited=Accredited(_or(self.accredited, Accredited.CURRENT)),
            only_accredited=_or(self.only_accredited, False),
            snapshot=SnapshotChoice.parse(_or(self.snapshot, "latest")),
            top=_or(self.top, None),
            grain=Grain(_or(self.grain, Grain.FACILITY)),
            annotate=_or(self.annotate, False),
            include_zero=_or(self.include_zero, False),
            strict_states=_or(self.strict_states, False),
            spreadsheet_safe=_or(self.spreadsheet_safe, False),
            rules=rules,
            unpack_limits=Limits.choose(limits) if limits else DEFAULT_LIMITS,
            null_words=NullWords() if null_words is None else NullWords.parse(null_words),
            renewals=Renewals(_or(self.renewals, Renewals.REPLACE)),
        )


def _or(written: T | UnsetType, default: T) -> T:
    return default if isinstance(written, UnsetType) else written
