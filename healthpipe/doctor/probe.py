"""What the Athena adapter rests on: facts that are written down, and here tried out.

Trying out on Athena, in a throw-away place, each fact that the adapter rests on.
"""

import json
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from healthpipe import __version__
from healthpipe.aws.session import AthenaSettings, client
from healthpipe.cancellation import cancel_on_stop, shielded
from healthpipe.doctor import facts_sql, facts_tables
from healthpipe.doctor.harness import Fact, Harness, ProbeQueryLog
from healthpipe.engines import drop_run_tables, stop_queries
from healthpipe.engines.athena.api import AthenaApi, Clock, result_configuration
from healthpipe.engines.athena.errors import BrokenQuery, FilesUnreadable
from healthpipe.engines.athena.queries import estimated_usd
from healthpipe.engines.base import EngineContext
from healthpipe.errors import HealthpipeError
from healthpipe.progress import Progress
from healthpipe.storage.layout import Root


def all_facts() -> list[Fact]:
    """The facts, the simplest first."""
    groups = (
        facts_tables.FILE_FACTS,
        facts_tables.QUERY_FACTS,
        facts_sql.SQL_FACTS,
        facts_sql.ADAPTER_FACTS,
    )
    return [fact for group in groups for fact in group]


SCHEMA_VERSION = 1
PROBES = "probes"


class Verdict(StrEnum):
    """What became of a fact; failed is one that could not be tried out to its end."""

    OK = "ok"
    DIFFERS = "differs"
    FAILED = "failed"


@dataclass(frozen=True)
class Observation:
    """A fact, what was expected and what was seen; of one that failed, why."""

    fact: str
    told: str
    verdict: Verdict
    expected: Any
    seen: Any


@dataclass(frozen=True)
class Report:
    """What a probe found, and what it cost. `uri` is where it is kept."""

    uri: str
    started_at: str
    place: Mapping[str, str]
    observations: Sequence[Observation]
    scanned: dict[str, int]

    @property
    def bytes_scanned(self) -> int:
        """The bytes that all queries scanned."""
        return sum(self.scanned.values())

    @property
    def estimated_usd(self) -> float:
        """What the queries cost, without discounts."""
        return estimated_usd(self.scanned.values())

    @property
    def unexpected(self) -> list[str]:
        """The names of the facts that do not hold, or could not be tried out."""
        return [each.fact for each in self.observations if each.verdict is not Verdict.OK]

    def to_json(self) -> dict[str, Any]:
        """As it is kept and printed."""
        return {
            "schema_version": SCHEMA_VERSION,
            "version": __version__,
            "started_at": self.started_at,
            **self.place,
            "facts": [asdict(each) for each in self.observations],
            "queries": [{"id": each, "bytes_scanned": n} for each, n in self.scanned.items()],
            "bytes_scanned": self.bytes_scanned,
            "estimated_usd": self.estimated_usd,
            "report": self.uri,
        }


def probe(root: Root, settings: AthenaSettings, facts: Sequence[Fact], step: Progress) -> Report:
    """Try out facts below a root on S3, and keep the report there.

    Raises `UsageError`, `ServiceFailed`, `Interrupted` and `OutOfTime` for what tells nothing of a
    fact; nothing but the report is left in any case, and no query runs on.
    """
    started = datetime.now(UTC)
    account = ProbeQueryLog()
    with _benches(root, settings, account) as bench_of:
        observations = []
        for fact in facts:
            step.step(f"probing {fact.name}")
            observations.append(observed(fact, bench_of(fact)))
    place = {
        "root": root.uri,
        "region": client("athena", settings.access).meta.region_name,
        "database": settings.database,
        "workgroup": settings.workgroup,
    }
    uri = f"{root.state}/{PROBES}/{started:%Y%m%dT%H%M%SZ}.json"
    report = Report(uri, started.isoformat(), place, observations, account.scanned_by_query())
    root.storage.write(uri, json.dumps(report.to_json(), indent=1).encode())
    return report


def observed(fact: Fact, bench: Harness) -> Observation:
    """Try out a fact. One that Athena refuses to run has failed; `probe` tells what is raised."""
    import duckdb

    try:
        seen = fact.look(bench)
    except (BrokenQuery, FilesUnreadable) as error:
        return Observation(fact.name, fact.told, Verdict.FAILED, fact.expected, error.message)
    except HealthpipeError:
        raise
    except (ValueError, LookupError, TypeError, duckdb.Error) as error:
        # An answer that the adapter cannot read.
        told = f"{type(error).__name__}: {error}"
        return Observation(fact.name, fact.told, Verdict.FAILED, fact.expected, told)
    verdict = Verdict.OK if seen == fact.expected else Verdict.DIFFERS
    return Observation(fact.name, fact.told, verdict, fact.expected, seen)


class _Harnesses:
    """Gives each fact its bench in one throw-away place."""

    def __init__(
        self, root: Root, settings: AthenaSettings, account: ProbeQueryLog, scratch: Path
    ) -> None:
        self.name = f"probe-{uuid.uuid4().hex[:12]}"
        self.uri = f"{root.state}/{self.name}"
        self.clock = Clock()
        self._root, self._settings, self._account = root, settings, account
        self._scratch = scratch
        place = result_configuration(settings, f"{self.uri}/results")
        self._calls = AthenaApi.to(settings, self.clock, place)

    def bench(self, fact: Fact) -> Harness:
        """A bench that no other fact uses."""
        scratch = self._scratch / fact.name
        scratch.mkdir()
        token = f"{self.name}/{fact.name}"
        uri = f"{self.uri}/{fact.name}"
        workplace = EngineContext(scratch, uri, self._root.storage, token, self._account)
        return Harness(workplace, self._settings, self._calls, self._account)

    def clear(self) -> None:
        """End the queries, and remove tables and files; what fails here hides no other failure."""
        with suppress(HealthpipeError):
            stop_queries(self._settings, self._account.left())
        with suppress(HealthpipeError):
            drop_run_tables(self._settings, self.name)
        with suppress(HealthpipeError):
            self._root.storage.delete_folder(self.uri)


@contextmanager
def _benches(
    root: Root, settings: AthenaSettings, account: ProbeQueryLog
) -> Iterator[Callable[[Fact], Harness]]:
    with tempfile.TemporaryDirectory(prefix="healthpipe-probe-") as scratch:
        benches = _Harnesses(root, settings, account, Path(scratch))
        try:
            with cancel_on_stop(benches.clock.cancel):
                yield benches.bench
        finally:
            with shielded():
                benches.clear()
