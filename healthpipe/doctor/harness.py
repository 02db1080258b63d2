"""Facts about Athena, and the harness that tests one.

A fact is a behaviour that the Athena engine depends on. Each is tested in a folder of its own below
the root, with the parts of the engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import Format
from healthpipe.engines.athena.api import AthenaApi
from healthpipe.engines.athena.errors import QueryExecution
from healthpipe.engines.athena.glue import Catalog
from healthpipe.engines.athena.queries import AthenaQueryRunner
from healthpipe.engines.athena.relations import FILE_TYPES, Relations, describe_files
from healthpipe.engines.athena.results import result_rows, unload_statement
from healthpipe.engines.athena.schema import Types
from healthpipe.engines.base import EngineContext, LineFile, Row

FILES = "files.parquet"


@dataclass
class ProbeQueryLog:
    """Keeps the ids of a probe's queries, and of those that ended the state and bytes scanned."""

    ended_queries: dict[str, tuple[str, int]] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)

    def started(self, query_id: str, token: str) -> None:  # noqa: ARG002
        """Add a query that was started; the same token gives the same id."""
        if query_id not in self.ids:
            self.ids.append(query_id)

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """Add the final state of a query."""
        self.ended_queries[query_id] = (state, bytes_scanned)

    def scanned(self) -> int:
        """Return the bytes that all queries have scanned."""
        return sum(scanned for _, scanned in self.ended_queries.values())

    def scanned_by_query(self) -> dict[str, int]:
        """Return the bytes that each query has scanned, by id."""
        return {query_id: self.ended_queries.get(query_id, ("", 0))[1] for query_id in self.ids}

    def unfinished(self) -> list[str]:
        """Return the ids of the queries not known to have ended."""
        return [query_id for query_id in self.ids if query_id not in self.ended_queries]


@dataclass(frozen=True)
class Harness:
    """Creates the files, tables and queries of one fact, all below `workplace.uri`."""

    workplace: EngineContext
    settings: AthenaSettings
    athena: AthenaApi
    query_log: ProbeQueryLog

    @property
    def queries(self) -> AthenaQueryRunner:
        """The runner of queries that the engine uses."""
        token, max_bytes = self.workplace.token, self.settings.max_bytes_scanned
        return AthenaQueryRunner(self.athena, self.query_log, token, max_bytes_scanned=max_bytes)

    def write(self, name: str, content: bytes) -> str:
        """Write a file and return its URI."""
        uri = f"{self.workplace.uri}/{name}"
        self.workplace.storage.write(uri, content)
        return uri

    def read_files(self, files: Mapping[str, bytes], landed: Sequence[str] = ()) -> Relations:
        """Write files and create `raw_lines`, `raw_files` and `source` over them."""
        line_files = [
            LineFile(self.write(name, content), name, None, name in landed, len(content))
            for name, content in files.items()
        ]
        local = self.workplace.scratch / FILES
        describe_files(line_files, local)
        uri = f"{self.workplace.uri}/{FILES}"
        self.workplace.storage.deliver(local, uri)
        relations = self.relations()
        relations.read_lines([file.path for file in line_files], uri, FILE_TYPES)
        return relations

    def relations(self) -> Relations:
        """Create relations whose tables belong to this fact; once for each fact."""
        workplace = self.workplace
        folder, catalog = f"{workplace.uri}/tables", Catalog.of(self.settings)
        return Relations(catalog, workplace.storage, folder, workplace.token)

    def run(self, text: str) -> QueryExecution:
        """Run a statement until it succeeds. Raises as `AthenaQueryRunner.run` does."""
        return self.queries.run(lambda _: text)

    def rows(self, text: str, types: Types) -> list[Row]:
        """Run a query and return its rows, with columns of these types."""
        return list(result_rows(self.athena.result_pages(self.run(text).id), types))

    def unload(self, query: str, name: str, fmt: Format) -> list[str]:
        """Unload a result to files, and return their URIs.

        They are in the folder `name/1`, in `name/2` where the query has to be started again, ...
        """
        uri = f"{self.workplace.uri}/{name}"
        folder = ""

        def statement(number: int) -> str:
            nonlocal folder
            folder = f"{uri}/{number}"
            return unload_statement(query, folder, fmt)

        self.queries.run(statement)
        return [file.uri for file in self.workplace.storage.list(folder)]

    def content(self, uris: Sequence[str]) -> bytes:
        """Read files, one after the other."""
        contents = (self.workplace.storage.read(uri) for uri in uris)
        return b"".join(content for content, _ in filter(None, contents))

    def name_of(self, uri: str) -> str:
        """Return the name that a file was written with."""
        return uri.removeprefix(f"{self.workplace.uri}/")


def bytes_as_text(content: bytes) -> str:
    """Decode UTF-8, with other bytes as escapes."""
    return content.decode("utf-8", "backslashreplace")


def sorted_rows(rows: Sequence[Row]) -> list[Any]:
    """Convert rows to JSON, sorted: a row of one column is its value, others are lists."""
    values = [row[0] if len(row) == 1 else list(row) for row in rows]
    return sorted(values, key=repr)


@dataclass(frozen=True)
class Fact:
    """A behaviour of Athena: it holds where `observe` returns `expected`.

    Both are JSON values. `name` also names its files and tables.
    """

    name: str
    statement: str
    expected: Any
    observe: Callable[[Harness], Any]
