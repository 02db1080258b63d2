"""Days as a user writes them: the window in which something expires, and which snapshots count."""

import datetime
from dataclasses import dataclass

from dateutil.relativedelta import relativedelta

from healthpipe.choices import DEFAULT_MONTHS, MAX_DAYS, MAX_MONTHS
from healthpipe.errors import UsageError


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
