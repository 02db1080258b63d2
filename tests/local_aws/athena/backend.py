"""What runs the queries of our Athena."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.local_aws.athena.statement import Unload

WATCH_S = 0.05


class QueryFailed(Exception):
    """A query that ends FAILED. `category` is 1 for the system, 2 for the user, 3 for others."""

    def __init__(
        self, reason: str, category: int = 2, type: int = 1200, retryable: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.category, self.type, self.retryable = reason, category, type, retryable


class QueryStopped(Exception):
    """A query that was stopped while it ran."""


@dataclass(frozen=True)
class Column:
    """A column of a result; `type` is Athena's word, with parameters."""

    name: str
    type: str


@dataclass(frozen=True)
class Result:
    """What a query gives: rows of Python values."""

    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[Any]] = ()
    bytes_scanned: int = 0


@dataclass(frozen=True)
class Written:
    """What an UNLOAD leaves: the URIs of its files."""

    uris: Sequence[str]
    bytes_scanned: int = 0


@dataclass(frozen=True)
class Stopping:
    """Tells a running query that it has to stop."""

    asked: threading.Event = field(default_factory=threading.Event)

    def raise_if_asked(self) -> None:
        if self.asked.is_set():
            raise QueryStopped

    @contextmanager
    def calling(self, stop: Callable[[], None]) -> Iterator[None]:
        """While the block runs, call `stop` once it is asked, and again until it has an effect:
        an engine that has not begun yet forgets it.
        """
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(WATCH_S):
                if self.asked.is_set():
                    stop()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


class Backend(Protocol):
    """Runs one statement. Each method raises `QueryFailed`, or `QueryStopped` when asked to stop.
    Called from several threads at once.
    """

    def open(self, endpoint_url: str) -> None:
        """Get ready over the S3 and Glue at a URL."""

    def select(self, sql: str, database: str, stopping: Stopping) -> Result:
        """Run a query for its rows."""

    def unload(self, unload: Unload, database: str, query_id: str, stopping: Stopping) -> Written:
        """Write a query's result to the empty folder `unload.target`."""

    def close(self) -> None:
        """Give back what it holds."""


def backend(sql: str) -> Backend:
    """The back end of a name: duckdb or trino."""
    if sql == "duckdb":
        from tests.local_aws.duck.backend import DuckBackend

        return DuckBackend()
    if sql == "trino":
        from tests.local_aws.on_trino import TrinoBackend

        return TrinoBackend()
    raise ValueError(f"{sql} is neither duckdb nor trino")
