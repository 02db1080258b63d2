"""Moments and spans of time as a person reads them; documents keep them as they are.

Text of records made safe to show: what would steer a terminal or a message is spelled out.
"""

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


def elapsed_text(start: str, end: str | None) -> str:
    """How long it was between two moments in ISO 8601; nothing without an end."""
    if end is None:
        return ""
    return span_text(datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start))


# Control characters; line and paragraph separators; what turns the reading direction; what no
# message may carry (halves of surrogate pairs, U+FFFE, U+FFFF).
_STEERING = (
    *range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F),
    *range(0x2066, 0x206A), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF,
)  # fmt: skip
_SPELLED = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _STEERING
}  # fmt: skip


def escape_control_chars(text: str) -> str:
    """The text on one line, what steers shown as what it is: an escape as its code."""
    return text.translate(_SPELLED)


def truncate_text(text: str, most: int) -> str:
    """The text in at most `most` characters; what is cut off ends in three dots."""
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."
