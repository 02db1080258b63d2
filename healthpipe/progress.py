"""How a run tells whoever watches what it is doing."""

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Told of each piece of work as it begins."""

    def step(self, what: str, fraction: Callable[[], float | None] | None = None) -> None:
        """`what` begins; `fraction` says from 0 to 1 how far it is, where that is known."""


class NoProgress:
    """For those who do not watch."""

    def step(self, what: str, fraction: Callable[[], float | None] | None = None) -> None:
        """Nobody watches."""
