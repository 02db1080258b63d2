"""Text of records made safe to show: what would steer a terminal or a message is spelled out."""

# Control characters; line and paragraph separators; what turns the reading direction; what no
# message may carry (halves of surrogate pairs, U+FFFE, U+FFFF).
_STEERING = (
    *range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F),
    *range(0x2066, 0x206A), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF,
)  # fmt: skip
_SPELLED = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _STEERING
}  # fmt: skip


def visible(text: str) -> str:
    """The text on one line, what steers shown as what it is: an escape as its code."""
    return text.translate(_SPELLED)


def clipped(text: str, most: int) -> str:
    """The text in at most `most` characters; what is cut off ends in three dots."""
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."
