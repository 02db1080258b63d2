"""The gates: how much may be wrong with a run for it to be published, and what a gate says."""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType

from healthpipe.choices import (
    MAX_DROP,
    MAX_ISSUES,
    MAX_REJECTED_FILES,
    MAX_REJECTS,
    WARN_ISSUES,
    Gate,
)
from healthpipe.contract import RULES, Reason, Severity
from healthpipe.errors import UsageError
from healthpipe.text import parse_age

# The rules that have a gate: a record that breaks another is always rejected.
JUDGED_RULES = tuple(rule.reason for rule in RULES if rule.severity is not Severity.REJECT)
T = TypeVar("T")
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
class Bounds:
    """The most that a gate allows: above `maximum` it fails, above `warning` it warns."""

    maximum: Threshold
    warning: Threshold | None = None

    def judge(self, actual: int, of: int) -> "tuple[Level, Threshold]":
        """The level of `actual` of `of`, and the threshold that decided."""
        if not self.maximum.allows(actual, of):
            return Level.FAIL, self.maximum
        if self.warning and not self.warning.allows(actual, of):
            return Level.WARN, self.warning
        return Level.OK, self.maximum


@dataclass(frozen=True)
class Gates:
    """The bounds of all gates: rejected lines and files, drops against the live run, broken rules.

    `own_issues` are the bounds of single rules in place of `issues`. A snapshot may be
    `max_snapshot_age` old; None: any age.
    """

    rejects: Bounds
    rejected_files: Bounds
    drop: Bounds
    issues: Bounds
    own_issues: Mapping[Reason, Bounds] = field(default_factory=dict)
    max_snapshot_age: datetime.timedelta | None = None

    def of_rule(self, reason: Reason) -> Bounds:
        """The bounds of a rule: how many of the records that could break it may do so."""
        return self.own_issues.get(reason, self.issues)


DEFAULTS = {
    "max_rejects": MAX_REJECTS,
    "max_rejected_files": MAX_REJECTED_FILES,
    "max_drop": MAX_DROP,
    "max_issues": MAX_ISSUES,
}


@dataclass(frozen=True)
class RawGates:
    """The gates as a user wrote them, before they are checked; UNSET where not written."""

    max_rejects: str | UnsetType = UNSET
    max_rejected_files: str | UnsetType = UNSET
    max_drop: str | UnsetType = UNSET
    max_issues: str | UnsetType = UNSET
    warn_rejects: str | UnsetType | None = UNSET
    warn_rejected_files: str | UnsetType | None = UNSET
    warn_drop: str | UnsetType | None = UNSET
    warn_issues: str | UnsetType | None = UNSET
    gate: Sequence[str] | UnsetType | None = UNSET
    max_snapshot_age: str | UnsetType | None = UNSET

    def to_json(self) -> dict[str, Any]:
        """Serialize the gates that were written."""
        return {name: value for name, value in vars(self).items() if value is not UNSET}

    def flags(self) -> dict[str, Any]:
        """Return the gates that were written, without defaults, for a command to suggest."""
        return {
            name: value for name, value in self.to_json().items() if value != DEFAULTS.get(name)
        }

    def checked(self) -> Gates:
        """Parse the gates, with the defaults of those not written. Raises `UsageError`."""
        issues = _bounds(
            "issues", _or(self.max_issues, MAX_ISSUES), _or(self.warn_issues, None), WARN_ISSUES
        )
        age = _or(self.max_snapshot_age, None)
        return Gates(
            _bounds("rejects", _or(self.max_rejects, MAX_REJECTS), _or(self.warn_rejects, None)),
            _bounds(
                "rejected_files",
                _or(self.max_rejected_files, MAX_REJECTED_FILES),
                _or(self.warn_rejected_files, None),
            ),
            _bounds("drop", _or(self.max_drop, MAX_DROP), _or(self.warn_drop, None)),
            issues,
            dict(_own_bounds(text, issues) for text in _or(self.gate, None) or ()),
            None if age is None else parse_age("--max-snapshot-age", age),
        )


def _or(written: T | UnsetType, default: T) -> T:
    return default if isinstance(written, UnsetType) else written


def _parse(name: str, text: str) -> Threshold:
    try:
        return Threshold.parse(text)
    except UsageError as error:
        raise UsageError(f"{_option(name)} {error.message}", error.hint) from error


def _bounds(
    name: str, maximum: str, warning: str | None, default_warning: str | None = None
) -> Bounds:
    """The bounds of --max-<name> and --warn-<name>; a default above its maximum is none."""
    most = _parse(f"max_{name}", maximum)
    if warning is None:
        usual = Threshold.parse(default_warning) if default_warning else None
        return Bounds(most, None if usual and usual.exceeds(most) else usual)
    least = _parse(f"warn_{name}", warning)
    if least.exceeds(most):
        raise UsageError(
            f"{_option(f'warn_{name}')} {warning} is above {_option(f'max_{name}')} {maximum}",
            "it would never be heard: give less",
        )
    return Bounds(most, least)


def _own_bounds(text: str, issues: Bounds) -> tuple[Reason, Bounds]:
    """Parse `REASON=N|P%`, the most records that may break one rule."""
    reason, _, most = text.partition("=")
    if reason not in JUDGED_RULES:
        raise UsageError(
            f"--gate {reason!r} is no rule that has a gate", f"known: {', '.join(JUDGED_RULES)}"
        )
    try:
        maximum = Threshold.parse(most)
    except UsageError as error:
        raise UsageError(f"--gate {reason}: {error.message}", error.hint) from error
    warning = issues.warning
    return Reason(reason), Bounds(
        maximum, None if warning and warning.exceeds(maximum) else warning
    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


class Level(StrEnum):
    """The result of a gate; `accepted` is a failed one that a user has overridden."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    ACCEPTED = "accepted"


def judged_key(gate: str, subject: str | None, feed: str | None) -> str:
    """What a gate has judged, the same in every run."""
    return " ".join(filter(None, (gate, subject, feed)))


@dataclass(frozen=True)
class GateResult:
    """The result of a gate: `actual` was counted, `limit` is the threshold that decided.

    `limit` is None where there is nothing to compare with. `feed` and `subject`, a rule or a field,
    say what was judged where a gate judges several. The message has no record's values.
    """

    gate: Gate
    level: Level
    actual: int
    limit: str | None
    message: str
    feed: str | None = None
    subject: str | None = None

    @property
    def key(self) -> str:
        """What was judged."""
        return judged_key(self.gate, self.subject, self.feed)
