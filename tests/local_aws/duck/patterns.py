"""Patterns of Java that RE2 has not: possessive quantifiers and those that look around."""

import re
from functools import cache
from typing import Any

# What lies before each match, and its groups; the last has what follows them all.
PARTS = 'STRUCT("before" VARCHAR, "groups" VARCHAR[])[]'


def like(text: str | None, pattern: str | None) -> bool | None:
    """Whether a pattern is found in a text."""
    if text is None or pattern is None:
        return None
    return _compiled(pattern).search(text) is not None


def replaced(text: str | None, pattern: str | None, replacement: str | None) -> str | None:
    """A text with every match replaced by a text."""
    if text is None or pattern is None or replacement is None:
        return None
    return _compiled(pattern).sub(lambda _: replacement, text)


def parts(text: str | None, pattern: str | None) -> list[dict[str, Any]] | None:
    """A text taken apart at the matches of a pattern."""
    if text is None or pattern is None:
        return None
    found, start = [], 0
    for match in _compiled(pattern).finditer(text):
        found.append({"before": text[start : match.start()], "groups": list(match.groups())})
        start = match.end()
    return [*found, {"before": text[start:], "groups": None}]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)
