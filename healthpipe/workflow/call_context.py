"""What a call of a step runs in: how long it may go on, and who watches."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from healthpipe.cancellation import Limit, limited
from healthpipe.progress import NoProgress, Progress

# A step ends this long before it would be ended, to leave a note of how far it is.
MARGIN_S = 10.0


class LambdaContext(Protocol):
    """What AWS Lambda hands to a handler, as far as it is looked at."""

    def get_remaining_time_in_millis(self) -> int:
        """How long the call may go on."""


@dataclass(frozen=True)
class LocalContext:
    """The same for a call in this process."""

    limit: Limit = field(default_factory=Limit)
    progress: Progress = field(default_factory=NoProgress)

    def get_remaining_time_in_millis(self) -> int:
        """How long the call may go on; a day where nothing limits it."""
        remaining = self.limit.remaining()
        return 86_400_000 if remaining is None else int(remaining * 1000)


@contextmanager
def within_time(context: LambdaContext) -> Iterator[None]:
    """End the work of the block in time, or when the caller gives it up, as `OutOfTime`."""
    remaining = context.get_remaining_time_in_millis() / 1000
    limit = Limit(remaining - min(MARGIN_S, remaining / 2))
    outer = context.limit if isinstance(context, LocalContext) else Limit()
    timer = threading.Timer(limit.remaining() or 0, limit.cancel)
    timer.daemon = True
    timer.start()
    try:
        with outer.cancels(limit.cancel), limited(limit):
            yield
    finally:
        timer.cancel()
