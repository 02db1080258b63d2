"""Moments and spans of time as a person reads them; documents keep them as they are."""

import datetime

UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def moment_text(moment: str) -> str:
    """A moment in ISO 8601 as one of UTC, to the second: `2026-02-15T06:00:00Z`."""
    time = datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def span_text(span: datetime.timedelta) -> str:
    """A span by its two largest units, rounded down: `26 h` is `1 d 2 h`; at least `0 s`."""
    rest, parts = max(0, int(span.total_seconds())), []
    for unit, seconds in UNITS:
        number, rest = divmod(rest, seconds)
        parts.append((number, unit))
    first = next((place for place, (number, _) in enumerate(parts) if number), len(parts) - 1)
    told = [f"{number} {unit}" for number, unit in parts[first : first + 2] if number]
    return " ".join(told) or "0 s"


def between(start: str, end: str | None) -> str:
    """How long it was between two moments in ISO 8601; nothing without an end."""
    if end is None:
        return ""
    return span_text(datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start))
