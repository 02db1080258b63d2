"""The rules of a run and their severities, as in the contract or as a user moved them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from healthpipe.contract import NEVER_REJECTING, RULES, Reason, Rule, Severity
from healthpipe.engines.base import Constants, IdPattern, Value
from healthpipe.errors import UsageError

BY_REASON = {rule.reason: rule for rule in RULES}
ANY_ID = IdPattern(".*")


@dataclass(frozen=True)
class Rules:
    """The severity of each rule, and the pattern that ids have to match, if any."""

    severities: Mapping[Reason, Severity] = field(
        default_factory=lambda: {rule.reason: rule.severity for rule in RULES}
    )
    id_pattern: IdPattern | None = None

    @classmethod
    def choose(
        cls, moves: Iterable[str] = (), *, strict: bool = False, id_pattern: str | None = None
    ) -> "Rules":
        """The contract's rules, moved as `REASON=SEVERITY`; `strict` makes each a reject that can.

        Raises `UsageError`.
        """
        severities = {rule.reason: rule.severity for rule in RULES}
        for move in moves:
            rule, severity = _parse_move(move)
            severities[rule.reason] = severity
        if strict:
            severities |= {
                reason: Severity.REJECT for reason in severities if reason not in NEVER_REJECTING
            }
        return cls(severities, _parse_pattern(id_pattern) if id_pattern else None)

    def of_severity(self, severity: Severity) -> list[Reason]:
        """The reasons of that severity."""
        return [reason for reason, own in self.severities.items() if own is severity]

    def values(self) -> dict[str, Value]:
        """The values of the queries' placeholders that are about rules."""
        switched_off = self.of_severity(Severity.OFF)
        return {
            "rejecting": self.of_severity(Severity.REJECT),
            # A list of nothing has no type in SQL.
            "switched_off": switched_off or [Severity.OFF],
            "reasons_change": bool(switched_off or self.id_pattern),
            "has_id_pattern": self.id_pattern is not None,
            "id_pattern": self.id_pattern or ANY_ID,
        }

    def relation(self) -> Constants:
        """The relation `rules`: reason, severity and field of each rule."""
        rows = (
            (rule.reason.value, self.severities[rule.reason].value, rule.field) for rule in RULES
        )
        return Constants(("reason", "severity", "field"), tuple(rows))

    def to_json(self) -> dict[str, Any]:
        """The differences to the contract, as a run record keeps them."""
        moved = {r: s for r, s in self.severities.items() if s is not BY_REASON[r].severity}
        return {"moved": moved, "id_pattern": str(self.id_pattern) if self.id_pattern else None}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Rules":
        """The rules that `to_json` wrote."""
        moves = (f"{reason}={severity}" for reason, severity in document["moved"].items())
        return cls.choose(moves, id_pattern=document["id_pattern"])


def _parse_move(move: str) -> tuple[Rule, Severity]:
    reason, _, severity = move.partition("=")
    if reason not in BY_REASON:
        raise UsageError(f"there is no rule {reason!r}", "see `healthpipe describe rules`")
    if severity not in tuple(Severity):
        raise UsageError(
            f"the rule {reason} cannot be {severity!r}", f"give one of {', '.join(Severity)}"
        )
    rule = BY_REASON[Reason(reason)]
    if rule.severity is Severity.REJECT and severity != Severity.REJECT:
        raise UsageError(
            f"the rule {reason} can only reject", "a line that breaks it is no record to keep"
        )
    if rule.reason in NEVER_REJECTING and severity == Severity.REJECT:
        raise UsageError(
            f"the rule {reason} cannot reject",
            "it is about several records, and one has to stay; give warn or off",
        )
    return rule, Severity(severity)


def _parse_pattern(text: str) -> IdPattern:
    try:
        return IdPattern(text)
    except ValueError as error:
        raise UsageError(
            f"--id-pattern {text!r} is not understood: {error}",
            "use letters, digits, space _ . : / - , classes like [A-Z], groups, | and * + ? {2,4};"
            " it has to match the whole id",
        ) from error
