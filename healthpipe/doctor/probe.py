"""The probe: tests on Athena, in a temporary folder, each fact that the engine depends on."""

import json
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from healthpipe import __version__
from healthpipe.aws.session import AthenaSettings, client
from healthpipe.cancellation import Clock, cancel_on_stop, shielded
from healthpipe.doctor import facts_sql, facts_tables
from healthpipe.doctor.harness import Fact, Harness, ProbeQueryLog
from healthpipe.engines import drop_run_tables, stop_queries
from healthpipe.engines.athena.api import AthenaApi, result_configuration
from healthpipe.engines.athena.errors import BrokenQuery, FilesUnreadable
from healthpipe.engines.athena.queries import estimated_usd
from healthpipe.engines.base import EngineContext
from healthpipe.errors import HealthpipeError
from healthpipe.progress import Progress
from healthpipe.storage.layout import Root


def all_facts() -> list[Fact]:
    """Return all facts, the simplest first."""
    groups = (
        facts_tables.FILE_FACTS,
        facts_tables.QUERY_FACTS,
        facts_sql.SQL_FACTS,
        facts_sql.ADAPTER_FACTS,
    )
    return [fact for group in groups for fact in group]


SCHEMA_VERSION = 1
PROBES = "probes"


class FactVerdict(StrEnum):
    """The verdict of a fact; failed is one whose test could not run to its end."""

    OK = "ok"
    DIFFERS = "differs"
    FAILED = "failed"


@dataclass(frozen=True)
class Observation:
    """The result of testing a fact: what was expected and seen, or why it failed."""

    fact: str
    statement: str
    verdict: FactVerdict
    expected: Any
    seen: Any

    def to_json(self) -> dict[str, Any]:
        """Return the observation as documents have it."""
        return {
            "fact": self.fact,
            "told": self.statement,
            "verdict": self.verdict,
            "expected": self.expected,
            "seen": self.seen,
        }


@dataclass(frozen=True)
class Report:
    """The result of a probe. `uri` is where it is stored; `scanned` are bytes by query id."""

    uri: str
    started_at: str
    environment: Mapping[str, str]
    observations: Sequence[Observation]
    scanned: dict[str, int]

    @property
    def bytes_scanned(self) -> int:
        """The bytes that all queries scanned."""
        return sum(self.scanned.values())

    @property
    def estimated_usd(self) -> float:
        """The list price of the queries."""
        return estimated_usd(self.scanned.values())

    @property
    def unexpected(self) -> list[str]:
        """The names of the facts that do not hold or could not be tested."""
        return [each.fact for each in self.observations if each.verdict is not FactVerdict.OK]

    def to_json(self) -> dict[str, Any]:
        """Return the report as it is stored and printed."""
        return {
            "schema_version": SCHEMA_VERSION,
            "version": __version__,
            "started_at": self.started_at,
            **self.environment,
            "facts": [each.to_json() for each in self.observations],
            "queries": [{"id": each, "bytes_scanned": n} for each, n in self.scanned.items()],
            "bytes_scanned": self.bytes_scanned,
            "estimated_usd": self.estimated_usd,
            "report": self.uri,
        }


def probe(
    root: Root, settings: AthenaSettings, facts: Sequence[Fact], progress: Progress
) -> Report:
    """Test facts below a root on S3, and store the report there.

    Raises `UsageError`, `ServiceFailed`, `Interrupted` and `OutOfTime` for errors that say nothing
    about a fact. In any case only the report is left, and no query runs on.
    """
    started = datetime.now(UTC)
    query_log = ProbeQueryLog()
    with _open_harnesses(root, settings, query_log) as create_harness:
        observations = []
        for fact in facts:
            progress.step(f"probing {fact.name}")
            observations.append(observe_fact(fact, create_harness(fact)))
    environment = {
        "root": root.uri,
        "region": client("athena", settings.access).meta.region_name,
        "database": settings.database,
        "workgroup": settings.workgroup,
    }
    uri = f"{root.state}/{PROBES}/{started:%Y%m%dT%H%M%SZ}.json"
    scanned = query_log.scanned_by_query()
    report = Report(uri, started.isoformat(), environment, observations, scanned)
    root.storage.write(uri, json.dumps(report.to_json(), indent=1).encode())
    return report


def observe_fact(fact: Fact, harness: Harness) -> Observation:
    """Test a fact. It failed if Athena refuses its query, or answers what cannot be read.

    Raises other errors as `probe` does.
    """
    import duckdb

    try:
        seen = fact.observe(harness)
    except (BrokenQuery, FilesUnreadable) as error:
        return Observation(
            fact.name, fact.statement, FactVerdict.FAILED, fact.expected, error.message
        )
    except HealthpipeError:
        raise
    except (ValueError, LookupError, TypeError, duckdb.Error) as error:
        # An answer that the engine cannot read.
        reason = f"{type(error).__name__}: {error}"
        return Observation(fact.name, fact.statement, FactVerdict.FAILED, fact.expected, reason)
    verdict = FactVerdict.OK if seen == fact.expected else FactVerdict.DIFFERS
    return Observation(fact.name, fact.statement, verdict, fact.expected, seen)


class _Harnesses:
    """Creates the harness of each fact, in one temporary folder below the root."""

    def __init__(
        self, root: Root, settings: AthenaSettings, query_log: ProbeQueryLog, scratch: Path
    ) -> None:
        self.name = f"probe-{uuid.uuid4().hex[:12]}"
        self.uri = f"{root.state}/{self.name}"
        self.clock = Clock()
        self._root, self._settings, self._query_log = root, settings, query_log
        self._scratch = scratch
        results = result_configuration(settings, f"{self.uri}/results")
        self._athena = AthenaApi.open(settings, self.clock, results)

    def create(self, fact: Fact) -> Harness:
        """Create the harness of a fact, which no other fact uses."""
        scratch = self._scratch / fact.name
        scratch.mkdir()
        token = f"{self.name}/{fact.name}"
        uri = f"{self.uri}/{fact.name}"
        workplace = EngineContext(scratch, uri, self._root.storage, token, self._query_log)
        return Harness(workplace, self._settings, self._athena, self._query_log)

    def clear(self) -> None:
        """Stop the queries, and remove tables and files; errors are ignored."""
        with suppress(HealthpipeError):
            stop_queries(self._settings, self._query_log.unfinished())
        with suppress(HealthpipeError):
            drop_run_tables(self._settings, self.name)
        with suppress(HealthpipeError):
            self._root.storage.delete_folder(self.uri)


@contextmanager
def _open_harnesses(
    root: Root, settings: AthenaSettings, query_log: ProbeQueryLog
) -> Iterator[Callable[[Fact], Harness]]:
    """Give the function that creates a fact's harness; clean up when the block ends."""
    with tempfile.TemporaryDirectory(prefix="healthpipe-probe-") as scratch:
        harnesses = _Harnesses(root, settings, query_log, Path(scratch))
        try:
            with cancel_on_stop(harnesses.clock.cancel):
                yield harnesses.create
        finally:
            with shielded():
                harnesses.clear()
