"""Retry calls with exponential backoff, jitter and a cap, in waits that cancellation ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from healthpipe import cancellation

Answer = TypeVar("Answer")
_random = Random()


@dataclass(frozen=True)
class Backoff:
    """Pauses that grow exponentially from `first_s` seconds to at most `max_s`.

    Each is multiplied by a random factor within `jitter`, lest many clients retry in step:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    first_s: float
    max_s: float
    growth: float = 2.0
    jitter: tuple[float, float] = (0.5, 1.0)

    def pauses(self, random: Random | None = None) -> Iterator[float]:
        """The seconds to pause, without end; `random` makes them reproducible."""
        pause_s = self.first_s
        while True:
            pause_s = min(pause_s, self.max_s)
            yield pause_s * (random or _random).uniform(*self.jitter)
            pause_s *= self.growth


def attempts(
    count: int,
    backoff: Backoff,
    sleep: Callable[[float], None] = cancellation.sleep,
    random: Random | None = None,
) -> Iterator[int]:
    """The numbers of `count` attempts, from 1, with a pause of `backoff` before all but the first.

    `sleep` waits for so many seconds; the default raises as `raise_if_cancelled` does when the
    work is cancelled meanwhile.
    """
    yield 1
    for number, pause_s in zip(range(2, count + 1), backoff.pauses(random), strict=False):
        sleep(pause_s)
        yield number


def retry(
    call: Callable[[], Answer], is_retryable: Callable[[Exception], bool], numbers: Iterator[int]
) -> Answer:
    """The answer of `call`, made again as often as `numbers` (of `attempts`) allows.

    Only an error that `is_retryable` is retried. Raises any other, or that of the last attempt.
    """
    failure: Exception | None = None
    for _ in numbers:
        try:
            return call()
        except Exception as error:
            if not is_retryable(error):
                raise
            failure = error
    if failure is None:
        raise ValueError("no attempt was allowed")
    raise failure
