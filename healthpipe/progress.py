"""Progress reports: the interface that long work calls, and one that does nothing.

The mark of a message that the live run has logged before, for those who want what is new alone.
"""

from collections.abc import Callable
from typing import Protocol

# The attribute of such a message's log record.
SAID_BEFORE = "said_before"


class Progress(Protocol):
    """Reports each piece of work as it begins."""

    def step(self, what: str, fraction: Callable[[], float | None] | None = None) -> None:
        """Report that `what` begins; `fraction` returns how much is done, 0 to 1, if known."""


class NoProgress:
    """A progress report that goes nowhere."""

    def step(self, what: str, fraction: Callable[[], float | None] | None = None) -> None:
        """Do nothing."""
