"""Run queries on Athena: each is started once, recorded, waited for, and never left running.

Also what queries cost: Athena bills the bytes that they scan.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Protocol

from healthpipe.aws.session import AthenaSettings
from healthpipe.cancellation import Clock, signals_deferred
from healthpipe.engines.athena.api import AthenaApi
from healthpipe.engines.athena.errors import QueryExecution, is_transient, query_error
from healthpipe.engines.base import QueryLog
from healthpipe.errors import HealthpipeError, ServiceFailed, StillRunning, UsageError
from healthpipe.retry import Backoff, attempts

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import GetQueryResultsOutputTypeDef

# https://aws.amazon.com/athena/pricing/ (SQL queries, us-east-1; other regions differ a little):
# by the terabyte scanned, rounded up to the megabyte, at least 10 MB for each query.
USD_PER_TB = 5.0
MB, TB = 1024**2, 1024**4
MIN_BILLED_MB = 10


def estimated_usd(bytes_scanned: Iterable[int]) -> float:
    """Estimate the price in USD of queries that scanned so many bytes each, without discounts.

    One that scanned nothing counts as well: which of them Athena does not bill is unknown.
    """
    billed_mb = sum(max(MIN_BILLED_MB, -(-scanned // MB)) for scanned in bytes_scanned)
    return billed_mb * MB / TB * USD_PER_TB


def require_within(scanned: int, maximum: int) -> None:
    """Raise `UsageError` when a run has scanned more bytes than `maximum`."""
    if scanned > maximum:
        raise UsageError(
            f"the run has scanned {scanned:,} bytes, more than the {maximum:,} it may",
            "raise --max-bytes-scanned, or give fewer input files",
        )


FINAL_STATES = ("SUCCEEDED", "FAILED", "CANCELLED")
# The intervals between polls grow, and are jittered so that many that wait do not keep step.
POLL_INTERVALS = Backoff(first_s=0.2, max_s=5.0, growth=1.5, jitter=(0.75, 1.0))
# Athena ends a query after 30 minutes by default; who stops it first knows why it ended.
DEADLINE_S = 28 * 60.0
# With the calls themselves a process ends within the 15 seconds that it has after a signal.
STOP_TIMEOUT_S, STOP_POLL_S = 8.0, 0.5
# How often a query is started when it fails for a transient reason.
STARTS = 3
START_BACKOFF = Backoff(first_s=2.0, max_s=4.0)


class QueryRunner(Protocol):
    """Runs the engine's queries: `AthenaQueryRunner`, or one that only records them."""

    def run(self, text: Callable[[int], str]) -> QueryExecution:
        """Run the statement `text(number)` to its success: see `AthenaQueryRunner.run`."""

    def result_pages(self, query_id: str) -> "Iterator[GetQueryResultsOutputTypeDef]":
        """The pages of the result of a query that succeeded."""

    def cancel(self) -> None:
        """Stop the query that is waited for, and keep others from being started. Any thread."""

    def raise_if_cancelled(self) -> None:
        """Raise `Interrupted` or `OutOfTime` when no query may be started any more."""


@dataclass(frozen=True)
class AthenaQueryRunner:
    """Runs the queries of one attempt at a step, which `token` names, and records them in `log`.

    A step that is called again for the same attempt has to ask for the same queries in the same
    order: the same text then finds the query that was started before, by its ClientRequestToken.
    After `wait_limit_s` seconds `run` raises `StillRunning` and leaves the query running; None
    waits to its end.
    """

    api: AthenaApi
    log: QueryLog
    token: str
    wait_limit_s: float | None = None
    max_bytes_scanned: int | None = None

    def run(self, text: Callable[[int], str]) -> QueryExecution:
        """Run the statement `text(number)` to its success, and start it anew if it fails for a
        transient reason.

        `number` counts the starts from 1: each needs its own empty folder for what it writes.

        Raises what `query_error` returns, `UsageError` when the run has scanned too much,
        `ServiceFailed` after the deadline, `Interrupted` and `OutOfTime`; then the query has been
        stopped. Raises `StillRunning` when the query goes on.
        """
        random = Random(self.token)
        for number in attempts(STARTS, START_BACKOFF, self.api.clock.wait, random):
            ended = self._run_once(text(number), number)
            if not is_transient(ended):
                break
        if self.max_bytes_scanned is not None:
            require_within(self.log.scanned(), self.max_bytes_scanned)
        if ended.state != "SUCCEEDED":
            raise query_error(ended)
        return ended

    def result_pages(self, query_id: str) -> "Iterator[GetQueryResultsOutputTypeDef]":
        """The pages of the result of a query that succeeded."""
        return self.api.result_pages(query_id)

    def cancel(self) -> None:
        """Stop the query that is waited for, and keep others from being started. Any thread."""
        self.api.clock.cancel()

    def raise_if_cancelled(self) -> None:
        """Raise `Interrupted` or `OutOfTime` when no query may be started any more."""
        self.api.clock.raise_if_cancelled()

    def _run_once(self, text: str, number: int) -> QueryExecution:
        """Start a query and wait for its end; stop it if that fails."""
        token = client_request_token(self.token, number, text)
        query_id = None
        try:
            # A signal waits until the id is known: what nobody knows, nobody can stop.
            with signals_deferred():
                query_id = self.api.start(text, token)
                self.log.started(query_id, token)
            ended = self._wait(query_id)
            self.log.ended(query_id, ended.state, ended.bytes_scanned)
        except StillRunning:
            raise
        except BaseException:
            if query_id:
                self._stop(query_id)
            raise
        return ended

    def _wait(self, query_id: str) -> QueryExecution:
        """Poll a query until it has ended. Raises `StillRunning`, and `ServiceFailed` too late."""
        clock = self.api.clock
        began = clock.now()
        limit = DEADLINE_S if self.wait_limit_s is None else self.wait_limit_s
        for interval in poll_intervals(query_id):
            execution = self.api.execution(query_id)
            if execution.state in FINAL_STATES:
                return execution
            waited = clock.now() - began
            # Earlier calls of the step may have waited for it, too.
            if max(waited, execution.age_s) >= DEADLINE_S:
                break
            if waited >= limit:
                raise StillRunning
            clock.wait(min(interval, limit - waited))
        raise ServiceFailed(
            f"Athena's query {query_id} had not ended after {DEADLINE_S / 60:.0f} minutes",
            "run again later; fewer input files end sooner",
        )

    def _stop(self, query_id: str) -> None:
        """Stop a query that is not waited for any more; what fails here hides no other failure."""
        with suppress(HealthpipeError):
            for ended in stop_and_wait(self.api, [query_id]):
                self.log.ended(query_id, ended.state, ended.bytes_scanned)


def client_request_token(token: str, number: int, text: str) -> str:
    """Athena's ClientRequestToken: 64 hex characters of run, step, attempt, start and SQL."""
    return hashlib.sha256("\0".join((token, str(number), text)).encode()).hexdigest()


def poll_intervals(query_id: str) -> Iterator[float]:
    """The seconds between polls of a query, without end; the same for the same query."""
    return POLL_INTERVALS.pauses(Random(query_id))


def stop_queries(settings: AthenaSettings, ids: Sequence[str]) -> list[QueryExecution]:
    """Stop queries that another process started, and wait for their end: see `stop_and_wait`."""
    return list(stop_and_wait(AthenaApi.open(settings, Clock()), ids)) if ids else []


def stop_and_wait(api: AthenaApi, ids: Sequence[str]) -> Iterator[QueryExecution]:
    """Stop queries and wait until each has ended, as far as Athena still knows it.

    It works while the process ends. Raises `ServiceFailed` when one has not ended after
    `STOP_TIMEOUT_S` seconds.
    """
    for query_id in ids:
        api.stop(query_id)
    end = api.clock.now() + STOP_TIMEOUT_S
    for query_id in ids:
        while (ended := api.execution_now(query_id)) and ended.state not in FINAL_STATES:
            if api.clock.now() >= end:
                raise ServiceFailed(
                    f"Athena's query {query_id} does not end",
                    "run again later; it was asked to stop",
                )
            api.clock.sleep(STOP_POLL_S)
        if ended:
            yield ended
