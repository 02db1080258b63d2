"""The life of queries: started once per token, queued, run, ended, kept."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.local_aws.athena.backend import QueryFailed, QueryStopped, Result, Stopping
from tests.local_aws.athena.statement import Statement
from tests.local_aws.athena.workgroups import Placement
from tests.local_aws.front import Refused

AT_ONCE = 25
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass
class Query:
    """A query execution."""

    asked: dict[str, Any]
    statement: Statement
    placement: Placement
    id: str = field(default_factory=lambda: str(uuid4()))
    state: str = "QUEUED"
    failure: QueryFailed | None = None
    reason: str | None = None
    result: Result = field(default_factory=Result)
    manifest: str | None = None
    stopping: Stopping = field(default_factory=Stopping)
    submitted_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def database(self) -> str:
        return str(self.asked.get("QueryExecutionContext", {}).get("Database", "default"))

    @property
    def output(self) -> str | None:
        """The file of its result."""
        if self.placement.output is None:
            return None
        suffix = ".csv" if isinstance(self.statement.body, str) else ".txt"
        if self.statement.type == "DML" and suffix == ".txt":
            suffix = ""
        return f"{self.placement.output}{self.id}{suffix}"

    def end(self, state: str, failure: QueryFailed | None = None) -> None:
        self.failure, self.ended_at = failure, time.time()
        self.reason = failure.reason if failure else self.reason
        self.state = state
        self.ended.set()


class Queries:
    """All queries of an Athena. `run` carries one out in a thread of its own."""

    def __init__(self, run: Callable[[Query], None]) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._held: dict[str, Query] = {}
        self._by_token: dict[str, Query] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, "athena")

    def start(self, query: Query, token: str | None) -> str:
        """Queue a query; the same token again gives the same query. Raises `Refused`."""
        with self._lock:
            known = self._by_token.get(token) if token else None
            if known is not None:
                if known.asked != query.asked:
                    raise Refused("InvalidRequestException", "Idempotent parameters do not match")
                return known.id
            self._held[query.id] = query
            if token:
                self._by_token[token] = query
        self._pool.submit(self._carry_out, query)
        return query.id

    def get(self, query_id: str) -> Query:
        query = self._held.get(query_id)
        if query is None:
            raise Refused("InvalidRequestException", f"QueryExecution {query_id} was not found")
        return query

    def stop(self, query: Query, reason: str | None = None) -> None:
        """Stop a query for good; one that has ended stays as it is."""
        with self._lock:
            if query.state in ENDED:
                return
            query.reason = reason
            query.stopping.asked.set()
            if query.state == "QUEUED":
                query.end("CANCELLED")

    def running(self) -> list[str]:
        return [query.id for query in list(self._held.values()) if query.state not in ENDED]

    def described(self) -> list[dict[str, Any]]:
        from tests.local_aws.athena.description import described

        return [described(query) for query in list(self._held.values())]

    def reset(self) -> None:
        """Stop all, wait until they have ended, and forget them."""
        held = list(self._held.values())
        for query in held:
            self.stop(query)
        for query in held:
            query.ended.wait()
        with self._lock:
            self._held.clear()
            self._by_token.clear()

    def close(self) -> None:
        self.reset()
        self._pool.shutdown(cancel_futures=True)

    def _carry_out(self, query: Query) -> None:
        with self._lock:
            if query.state != "QUEUED":
                return
            query.state = "RUNNING"
        try:
            self._run(query)
            query.stopping.raise_if_asked()
            query.end("SUCCEEDED")
        except QueryStopped:
            query.end("CANCELLED")
        except QueryFailed as failure:
            query.end("CANCELLED" if query.stopping.asked.is_set() else "FAILED", failure)
        except Exception as error:
            reason = f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}"
            query.end("FAILED", QueryFailed(reason, category=1, type=100))
