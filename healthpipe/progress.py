"""Progress reports: the interface that long work calls, and one that does nothing.

The marks of messages: of one that the live run has logged before, for those who want what is new
alone, and of one that has lines of its own, where others are one line whatever they name.
"""

from collections.abc import Callable
from typing import Protocol

# The attributes of such messages' log records.
SAID_BEFORE, HAS_LINES = "said_before", "has_lines"


class Progress(Protocol):
    """Reports each piece of work as it begins."""

    def step(self, what: str, fraction: Callable[[], float | None] | None = None) -> None:
        """Report that `what` begins; `fraction` returns how much is done, 0 to 1, if known."""


class NoProgress:
    """A progress report that goes nowhere."""

    def step(self, what: str, fraction: Callable[[], float | None] | None = None) -> None:
        """Do nothing."""
