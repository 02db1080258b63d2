"""A root on a local Athena with an engine on it, beside the embedded engine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from healthpipe.aws.session import AthenaSettings
from healthpipe.engines import open_embedded
from healthpipe.engines.athena import queries
from healthpipe.engines.athena.engine import AthenaEngine
from healthpipe.engines.base import EngineContext, LineFile
from healthpipe.retry import Backoff
from healthpipe.storage import open_storage
from tests.local_aws import LocalAws, local_aws

BUCKET = "facilities-of-tests"
ROOT = f"s3://{BUCKET}/root"
RUN_ID = "20261121T074824Z-abc123"
PLACE = f"{ROOT}/runs/{RUN_ID}/attempts"


# What runs the queries of the local Athena.
SQL = os.environ.get("HEALTHPIPE_TEST_SQL", "duckdb")


class RecordedQueries:
    """A query log in memory: ids of queries, their final states and the bytes scanned."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.ends: dict[str, str] = {}
        self.bytes = 0

    def started(self, query_id: str, token: str) -> None:  # noqa: ARG002
        if query_id not in self.ids:
            self.ids.append(query_id)

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        self.bytes += 0 if query_id in self.ends else bytes_scanned
        self.ends[query_id] = state

    def scanned(self) -> int:
        return self.bytes


@dataclass
class AthenaRoot:
    """A root in a bucket of the local AWS, with engines on it."""

    aws: LocalAws
    sql: str
    folder: Path
    notes: RecordedQueries = field(default_factory=RecordedQueries)
    settings: AthenaSettings = field(default_factory=AthenaSettings)

    def __post_init__(self) -> None:
        self.aws.client("s3").create_bucket(Bucket=BUCKET)
        self.storage = open_storage(ROOT)

    def put(self, key: str, content: bytes) -> str:
        uri = f"{ROOT}/{key}"
        self.storage.write(uri, content)
        return uri

    def lines(self, name: str, content: bytes, date=None, *, landed=False) -> LineFile:
        """A raw file on S3."""
        return LineFile(self.put(f"raw/{name}", content), name, date, landed, len(content))

    def workplace(
        self, attempt: str = "curate-1", wait_limit_s: float | None = None
    ) -> EngineContext:
        scratch = self.folder / attempt
        scratch.mkdir(exist_ok=True)
        token = f"{RUN_ID}/{attempt}"
        uri = f"{PLACE}/{attempt}"
        return EngineContext(scratch, uri, self.storage, token, self.notes, wait_limit_s)

    def engine(self, attempt: str = "curate-1", wait_limit_s: float | None = None) -> AthenaEngine:
        return AthenaEngine.open(self.workplace(attempt, wait_limit_s), self.settings)

    @contextmanager
    def both(self) -> Iterator[list]:
        """The engine for Athena and the embedded one."""
        (self.folder / "duckdb").mkdir()
        with self.engine() as athena, open_embedded(self.folder / "duckdb") as embedded:
            yield [athena, embedded]

    def tables(self) -> list[str]:
        glue = self.aws.client("glue")
        names = [each["Name"] for each in glue.get_databases()["DatabaseList"]]
        if "healthpipe" not in names:
            return []
        return [each["Name"] for each in glue.get_tables(DatabaseName="healthpipe")["TableList"]]

    def statements(self) -> list[str]:
        return [query["Query"] for query in self.aws.queries()]

    def files(self, uri: str = PLACE) -> list[str]:
        return [file.uri for file in self.storage.list(uri)]


@pytest.fixture(scope="module")
def running_aws():
    """A local AWS for the tests of a module; moto keeps one state for a process."""
    with local_aws(SQL) as aws:
        yield aws


@pytest.fixture
def site(running_aws, tmp_path, monkeypatch):
    """An empty root that boto3 finds nothing beside; queries are polled often."""
    running_aws.reset()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in running_aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(queries, "POLL_INTERVALS", Backoff(0.02, 5.0, growth=1.5))
    monkeypatch.setattr(queries, "START_BACKOFF", Backoff(0.01, 0.01))
    return AthenaRoot(running_aws, SQL, tmp_path)
