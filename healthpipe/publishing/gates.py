"""The gates: how much may be wrong with a run for it to be published, or without a warning."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from msgspec import UNSET, UnsetType

from healthpipe.choices import MAX_DROP, MAX_REJECTED_FILES, MAX_REJECTS
from healthpipe.errors import UsageError

_NUMBER = re.compile(r"[0-9]{1,18}")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")


@dataclass(frozen=True)
class Threshold:
    """The most that is allowed: a number, or a percentage of a total. One of both is None."""

    number: int | None = None
    percent: Decimal | None = None

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """Parse `500`, `5%` or `2.5%`, up to `100%`. Raises `UsageError`."""
        if _NUMBER.fullmatch(text):
            return cls(number=int(text))
        match = _PERCENT.fullmatch(text)
        if match and Decimal(match[1]) <= 100:
            return cls(percent=Decimal(match[1]))
        raise UsageError(
            f"{text!r} is neither a number nor a percentage", "give for example 500, 5% or 2.5%"
        )

    def __str__(self) -> str:
        return str(self.number) if self.percent is None else f"{self.percent:f}%"

    def allows(self, actual: int, of: int) -> bool:
        """Whether `actual` of `of` is not more than this; exactly as much is allowed."""
        if self.percent is None:
            return actual <= (self.number or 0)
        return actual * 100 <= self.percent * of

    def exceeds(self, other: "Threshold") -> bool:
        """Whether this surely allows more: a number and a percentage do not compare."""
        if self.percent is not None and other.percent is not None:
            return self.percent > other.percent
        if self.number is not None and other.number is not None:
            return self.number > other.number
        return False


@dataclass(frozen=True)
class Gates:
    """The most that a run may reject, and the most that it may drop against the live one.

    Above a `max_` it is not published, above a `warn_` that is said.
    """

    max_rejects: Threshold
    max_rejected_files: Threshold
    max_drop: Threshold
    warn_rejects: Threshold | None = None
    warn_rejected_files: Threshold | None = None
    warn_drop: Threshold | None = None

    @classmethod
    def choose(
        cls,
        *,
        max_rejects: str = MAX_REJECTS,
        max_rejected_files: str = MAX_REJECTED_FILES,
        max_drop: str = MAX_DROP,
        warn_rejects: str | None = None,
        warn_rejected_files: str | None = None,
        warn_drop: str | None = None,
    ) -> "Gates":
        """Parse the gates. Raises `UsageError`."""
        return cls(
            _parse("max_rejects", max_rejects),
            _parse("max_rejected_files", max_rejected_files),
            _parse("max_drop", max_drop),
            _parse_warning("rejects", warn_rejects, max_rejects),
            _parse_warning("rejected_files", warn_rejected_files, max_rejected_files),
            _parse_warning("drop", warn_drop, max_drop),
        )


@dataclass(frozen=True)
class RawGates:
    """The gates as a user wrote them, before they are checked; UNSET where not written."""

    max_rejects: str | UnsetType = UNSET
    max_rejected_files: str | UnsetType = UNSET
    max_drop: str | UnsetType = UNSET
    warn_rejects: str | UnsetType | None = UNSET
    warn_rejected_files: str | UnsetType | None = UNSET
    warn_drop: str | UnsetType | None = UNSET

    def to_json(self) -> dict[str, Any]:
        """Serialize the gates that were written."""
        return {name: value for name, value in vars(self).items() if value is not UNSET}

    def flags(self) -> dict[str, Any]:
        """Return the gates that were written, without defaults, for a command to suggest."""
        defaults = vars(Gates.choose())
        return {
            name: value for name, value in self.to_json().items() if value != str(defaults[name])
        }

    def checked(self) -> Gates:
        """Parse the gates. Raises `UsageError`."""
        return Gates.choose(**self.to_json())


def _parse(name: str, text: str) -> Threshold:
    try:
        return Threshold.parse(text)
    except UsageError as error:
        raise UsageError(f"{_option(name)} {error.message}", error.hint) from error


def _parse_warning(gate: str, text: str | None, maximum: str) -> Threshold | None:
    if text is None:
        return None
    warning = _parse(f"warn_{gate}", text)
    if warning.exceeds(Threshold.parse(maximum)):
        raise UsageError(
            f"{_option(f'warn_{gate}')} {text} is above {_option(f'max_{gate}')} {maximum}",
            "it would never be heard: give less",
        )
    return warning


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
