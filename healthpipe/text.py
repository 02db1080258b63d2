"""Text for people: times, durations, ages and sizes, commands to try, texts escaped and cut.

Documents keep times as they are.
"""

import datetime
import re
import shlex
from collections.abc import Iterator

from healthpipe.errors import UsageError

AGE_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def moment_text(moment: str) -> str:
    """Format a time in ISO 8601 in UTC, to the second: `2026-02-15T06:00:00Z`."""
    time = datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def parse_age(option: str, text: str) -> datetime.timedelta:
    """Parse a whole number of minutes, hours or days, as `26h`. Raises `UsageError`."""
    match = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if match is None:
        raise UsageError(f"{option} {text!r} is no age", "give for example 90m, 26h or 2d")
    return datetime.timedelta(**{AGE_UNITS[match[2]]: int(match[1])})


SIZE_UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d{1,15})\s*(kB|MB|GB|TB)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Parse a number of bytes, as `500MB`. Raises `ValueError`."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no size: give a number of bytes, or one as 500GB")
    unit = next(unit for unit in SIZE_UNITS if unit.lower() == (match[2] or "").lower())
    return int(match[1]) * SIZE_UNITS[unit]


def written_size(size: int) -> str:
    """Format a number of bytes so that `parse_size` reads it: `300MB`."""
    unit = next(unit for unit in reversed(SIZE_UNITS) if size % SIZE_UNITS[unit] == 0)
    return f"{size // SIZE_UNITS[unit]}{unit}"


def span_text(span: datetime.timedelta) -> str:
    """Format a duration by its two largest units, rounded down: `1 d 2 h`; at least `0 s`."""
    rest, parts = max(0, int(span.total_seconds())), []
    for unit, seconds in UNITS:
        number, rest = divmod(rest, seconds)
        parts.append((number, unit))
    first = next((index for index, (number, _) in enumerate(parts) if number), len(parts) - 1)
    shown = [f"{number} {unit}" for number, unit in parts[first : first + 2] if number]
    return " ".join(shown) or "0 s"


def elapsed_text(start: str, end: str | None) -> str:
    """Format the duration between two times in ISO 8601; empty without an end."""
    if end is None:
        return ""
    return span_text(datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start))


# Two machines' clocks differ by less.
CLOCK_TOLERANCE = datetime.timedelta(minutes=5)


def is_ahead(moment: str | None, now: datetime.datetime) -> bool:
    """Whether a time in ISO 8601 is in the future, by more than clocks differ."""
    if moment is None:
        return False
    return datetime.datetime.fromisoformat(moment) > now + CLOCK_TOLERANCE


def suggested_command(*words: str, **options: object) -> str:
    """Compose a command for a message; what was named absolutely works from any folder.

    True is a flag. A list repeats its option; None, False and an empty list leave it out.
    """
    flags = (flag for name, value in options.items() for flag in _flags(name, value))
    return shlex.join(["healthpipe", *words, *flags])


def _flags(name: str, value: object) -> Iterator[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _flags(name, each)
    elif value is True:
        yield flag
    elif str(value).startswith("-"):
        yield f"{flag}={value}"
    elif value is not None and value is not False:
        yield from (flag, str(value))


# Control characters; line and paragraph separators; bidirectional controls; what no message may
# carry (surrogates, U+FFFE, U+FFFF).
_ESCAPED_CODES = (
    *range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F),
    *range(0x2066, 0x206A), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF,
)  # fmt: skip
_ESCAPES = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _ESCAPED_CODES
}  # fmt: skip


def escape_control_chars(text: str) -> str:
    """Escape what would control a terminal or a message, so that the text is one line."""
    return text.translate(_ESCAPES)


def truncate_text(text: str, max_characters: int) -> str:
    """Cut a text to at most so many characters, the last three of them dots."""
    if len(text) <= max_characters:
        return text
    return f"{text[: max_characters - 3].rstrip()}..."
