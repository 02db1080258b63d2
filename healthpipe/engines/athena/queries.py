"""What queries cost: Athena bills the bytes that they scan.

The life of a query: started once, written down, waited for, and never left running.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Protocol

from healthpipe.aws.session import AthenaSettings
from healthpipe.cancellation import signals_deferred
from healthpipe.engines.athena.api import AthenaApi, Clock
from healthpipe.engines.athena.errors import QueryExecution, is_transient, query_error
from healthpipe.engines.base import QueryLog
from healthpipe.errors import HealthpipeError, ServiceFailed, StillRunning, UsageError

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import GetQueryResultsOutputTypeDef

# https://aws.amazon.com/athena/pricing/ (SQL queries, us-east-1; other regions differ a little):
# by the terabyte scanned, rounded up to the megabyte, at least 10 MB for each query.
USD_PER_TB = 5.0
MB, TB = 1024**2, 1024**4
LEAST_MB = 10


def estimated_usd(bytes_scanned: Iterable[int]) -> float:
    """What queries that scanned so many bytes each cost, without discounts and free tiers.

    One that scanned nothing counts as well: nobody tells which of them Athena does not bill.
    """
    billed_mb = sum(max(LEAST_MB, -(-scanned // MB)) for scanned in bytes_scanned)
    return billed_mb * MB / TB * USD_PER_TB


def require_within(scanned: int, maximum: int) -> None:
    """Raises `UsageError` when a run has scanned more than it may."""
    if scanned > maximum:
        raise UsageError(
            f"the run has scanned {scanned:,} bytes, more than the {maximum:,} it may",
            "raise --max-bytes-scanned, or give fewer input files",
        )


ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
FIRST_WAIT_S, LONGEST_WAIT_S, GROWTH = 0.2, 5.0, 1.5
# Athena ends a query after 30 minutes by default; who stops it first knows why it ended.
DEADLINE_S = 28 * 60.0
# With the calls themselves a process ends within the 15 seconds that it has after a signal.
STOP_S, STOP_WAIT_S = 8.0, 0.5
TRIES = 3
PAUSE_S = 2.0


class QueryRunner(Protocol):
    """What the engine has its queries run by."""

    def run(self, text: Callable[[int], str]) -> QueryExecution:
        """Run the statement `text(number)` to its success: see `AthenaQueryRunner.run`."""

    def results(self, query_id: str) -> "Iterator[GetQueryResultsOutputTypeDef]":
        """The pages of the result of a query that succeeded."""

    def cancel(self) -> None:
        """Make a query that is waited for end, and keep others from being started. Any thread."""

    def raise_if_stopped(self) -> None:
        """Raise `Interrupted` or `OutOfTime` when no query may be started any more."""


@dataclass(frozen=True)
class AthenaQueryRunner:
    """Runs the queries of one attempt at a step, which `token` names.

    Called again for the same attempt, the same text finds the query that it started before:
    after `patience_s` seconds `run` raises `StillRunning` and leaves the query to itself.
    """

    calls: AthenaApi
    journal: QueryLog
    token: str
    patience_s: float | None = None
    max_bytes_scanned: int | None = None

    def run(self, text: Callable[[int], str]) -> QueryExecution:
        """Run the statement `text(number)` to its success, where `number` counts from 1 how often
        it was started: a new start needs its own empty place for what it writes.

        Raises what `failures.failure` tells, `UsageError` when the run has scanned too much,
        `ServiceFailed` after the deadline, `Interrupted` and `OutOfTime`; then the query has been
        stopped.
        """
        for number in range(1, TRIES):
            ended = self._run_once(text(number), number)
            if not is_transient(ended):
                break
            self.calls.clock.wait(Random(ended.id).uniform(0.5, 1) * PAUSE_S**number)
        else:
            ended = self._run_once(text(TRIES), TRIES)
        if self.max_bytes_scanned is not None:
            require_within(self.journal.scanned(), self.max_bytes_scanned)
        if ended.state != "SUCCEEDED":
            raise query_error(ended)
        return ended

    def results(self, query_id: str) -> "Iterator[GetQueryResultsOutputTypeDef]":
        """The pages of the result of a query that succeeded."""
        return self.calls.results(query_id)

    def cancel(self) -> None:
        """Make a query that is waited for end, and keep others from being started. Any thread."""
        self.calls.clock.cancel()

    def raise_if_stopped(self) -> None:
        """Raise `Interrupted` or `OutOfTime` when no query may be started any more."""
        self.calls.clock.raise_if_stopped()

    def _run_once(self, text: str, number: int) -> QueryExecution:
        token = client_request_token(self.token, number, text)
        query_id = None
        try:
            # A signal waits until the id is known: what nobody knows, nobody can stop.
            with signals_deferred():
                query_id = self.calls.start(text, token)
                self.journal.started(query_id, token)
            ended = self._wait(query_id)
            self.journal.ended(query_id, ended.state, ended.bytes_scanned)
        except StillRunning:
            raise
        except BaseException:
            if query_id:
                self._end(query_id)
            raise
        return ended

    def _wait(self, query_id: str) -> QueryExecution:
        clock = self.calls.clock
        began = clock.now()
        limit = DEADLINE_S if self.patience_s is None else self.patience_s
        for wait in poll_intervals(query_id):
            ended = self.calls.state(query_id)
            if ended.state in ENDED:
                return ended
            waited = clock.now() - began
            # Earlier calls of the step may have waited for it, too.
            if max(waited, ended.age_s) >= DEADLINE_S:
                break
            if waited >= limit:
                raise StillRunning
            clock.wait(min(wait, limit - waited))
        raise ServiceFailed(
            f"Athena's query {query_id} had not ended after {DEADLINE_S / 60:.0f} minutes",
            "run again later; fewer input files end sooner",
        )

    def _end(self, query_id: str) -> None:
        """Stop a query that is not waited for any more; what fails here hides no other failure."""
        with suppress(HealthpipeError):
            for ended in stop_and_wait(self.calls, [query_id]):
                self.journal.ended(query_id, ended.state, ended.bytes_scanned)


def client_request_token(token: str, number: int, text: str) -> str:
    """Athena's ClientRequestToken: 64 hex characters of run, step, attempt, start and SQL."""
    return hashlib.sha256("\0".join((token, str(number), text)).encode()).hexdigest()


def poll_intervals(seed: str) -> Iterator[float]:
    """The seconds between polls: growing, and jittered so that many waiting do not keep step."""
    jitter, wait = Random(seed), FIRST_WAIT_S
    while True:
        yield wait * jitter.uniform(0.75, 1)
        wait = min(wait * GROWTH, LONGEST_WAIT_S)


def stop_queries(settings: AthenaSettings, ids: Sequence[str]) -> list[QueryExecution]:
    """Stop queries that somebody else started, and wait for their end: see `stopped`."""
    return list(stop_and_wait(AthenaApi.to(settings, Clock(), None), ids)) if ids else []


def stop_and_wait(calls: AthenaApi, ids: Sequence[str]) -> Iterator[QueryExecution]:
    """Stop queries and wait until each has ended, as far as Athena still knows it.

    Raises `ServiceFailed` when one has not ended after some seconds.
    """
    for query_id in ids:
        calls.stop(query_id)
    end = calls.clock.now() + STOP_S
    for query_id in ids:
        while (ended := calls.state_now(query_id)) and ended.state not in ENDED:
            if calls.clock.now() >= end:
                raise ServiceFailed(
                    f"Athena's query {query_id} does not end",
                    "run again later; it was asked to stop",
                )
            calls.clock.sleep(STOP_WAIT_S)
        if ended:
            yield ended
