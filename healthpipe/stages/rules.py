"""The rules of a run, their severities and the words for nothing, as in the contract or as a user
chose them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from healthpipe.contract import (
    MAX_NULL_WORD,
    NEVER_REJECTING,
    NULL_WORDS,
    RULES,
    Reason,
    Rule,
    Severity,
)
from healthpipe.engines.base import Constants, IdPattern, Value, WordPattern
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


ALLOWED_NULL_WORDS = (
    f"a word has 1 to {MAX_NULL_WORD} ASCII letters, digits, spaces and characters of . _ / ? # -"
)


@dataclass(frozen=True)
class NullWords:
    """The words for nothing, in upper case: a text that is one of them, in any case, is absent."""

    words: tuple[str, ...] = NULL_WORDS

    @classmethod
    def parse(cls, text: str) -> "NullWords":
        """Parse words with commas between them; a blank text is none. Raises `UsageError`."""
        words = (word.strip().upper() for word in text.split(",") if text.strip())
        try:
            return cls(WordPattern(tuple(dict.fromkeys(words))).words)
        except ValueError as error:
            raise UsageError(
                f"--null-words {text!r} is not understood: {error}",
                f"{ALLOWED_NULL_WORDS}; on the command line with commas between them",
            ) from error

    def values(self) -> dict[str, Value]:
        """The values of the queries' placeholders that are about words for nothing."""
        return {
            "null_words": WordPattern(self.words),
            "longest_null_word": max(map(len, self.words), default=0),
            # Those of the contract are no days, numbers or states: not looked for among them.
            "null_words_have_values": not set(self.words) <= set(NULL_WORDS),
        }

    def to_json(self) -> list[str]:
        """The words, as a run record and a segment keep them."""
        return list(self.words)

    @classmethod
    def from_json(cls, document: Iterable[str]) -> "NullWords":
        """The words that `to_json` wrote."""
        return cls(tuple(document))


def _parse_move(move: str) -> tuple[Rule, Severity]:
    reason, _, severity = move.partition("=")
    if reason not in BY_REASON:
        raise UsageError(
            f"--rule {move}: there is no rule {reason!r}", "see `healthpipe describe rules`"
        )
    if severity not in tuple(Severity):
        raise UsageError(
            f"--rule {move}: it cannot be {severity!r}", f"give one of {', '.join(Severity)}"
        )
    rule = BY_REASON[Reason(reason)]
    if rule.severity is Severity.REJECT and severity != Severity.REJECT:
        raise UsageError(
            f"--rule {move}: it can only reject", "a line that breaks it is no record to keep"
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
