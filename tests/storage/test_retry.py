"""Retries: the pauses between attempts, what is retried, and waits that cancellation ends."""

from itertools import islice
from random import Random

import pytest

from healthpipe import cancellation
from healthpipe.errors import OutOfTime
from healthpipe.retry import Backoff, attempts, retry


class Failing:
    """Raises its errors in turn, then returns how often it was called."""

    def __init__(self, *errors):
        self.errors, self.calls = list(errors), 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def is_value_error(error):
    return isinstance(error, ValueError)


def test_pauses_grow_to_a_cap_and_are_jittered_within_bounds():
    backoff = Backoff(1.0, 8.0, jitter=(0.5, 1.0))
    pauses = list(islice(backoff.pauses(Random(1)), 8))
    for pause, longest in zip(pauses, (1, 2, 4, 8, 8, 8, 8, 8), strict=True):
        assert longest / 2 <= pause <= longest
    assert pauses == list(islice(backoff.pauses(Random(1)), 8))
    assert pauses != list(islice(backoff.pauses(Random(2)), 8))


def test_there_is_a_pause_before_all_attempts_but_the_first():
    slept = []
    assert list(attempts(3, Backoff(1, 9, jitter=(1, 1)), slept.append)) == [1, 2, 3]
    assert slept == [1, 2]
    assert list(attempts(1, Backoff(1, 9), slept.append)) == [1]
    assert slept == [1, 2]


def test_only_retryable_errors_are_retried_and_the_last_one_is_raised():
    slept = []

    def three():
        return attempts(3, Backoff(1, 9), slept.append)

    assert retry(Failing(ValueError("a"), ValueError("b")), is_value_error, three()) == 3
    assert len(slept) == 2
    call = Failing(ValueError("a"), ValueError("b"), ValueError("c"))
    with pytest.raises(ValueError, match="c"):
        retry(call, is_value_error, three())
    assert call.calls == 3
    call = Failing(KeyError("a"))
    with pytest.raises(KeyError):
        retry(call, is_value_error, three())
    assert call.calls == 1


def test_a_pause_ends_when_the_work_is_cancelled():
    deadline = cancellation.Deadline()
    call = Failing(*[ValueError()] * 9)

    def fail():
        deadline.cancel()
        return call()

    with cancellation.deadline_applied(deadline), pytest.raises(OutOfTime):
        retry(fail, is_value_error, attempts(9, Backoff(600, 600)))
    assert call.calls == 1
