"""Where one fact about Athena is tried out: a place of its own below the root, with the parts of
the Athena engine over it.

A fact that the Athena adapter rests on.
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
from healthpipe.engines.athena.relations import Relations
from healthpipe.engines.athena.results import (
    FILE_TYPES,
    describe_files,
    result_rows,
    unload_statement,
)
from healthpipe.engines.athena.schema import Types
from healthpipe.engines.base import EngineContext, LineFile, Row

FILES = "files.parquet"


@dataclass
class ProbeQueryLog:
    """The queries of a probe, by id: the state and the bytes scanned of each that has ended."""

    ended_queries: dict[str, tuple[str, int]] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)

    def started(self, query_id: str, token: str) -> None:  # noqa: ARG002
        """A query was started; the same token gives the same id."""
        if query_id not in self.ids:
            self.ids.append(query_id)

    def ended(self, query_id: str, state: str, bytes_scanned: int) -> None:
        """A query ended."""
        self.ended_queries[query_id] = (state, bytes_scanned)

    def scanned(self) -> int:
        """The bytes that all queries have scanned."""
        return sum(scanned for _, scanned in self.ended_queries.values())

    def scanned_by_query(self) -> dict[str, int]:
        """The bytes that each has scanned, by id."""
        return {query_id: self.ended_queries.get(query_id, ("", 0))[1] for query_id in self.ids}

    def left(self) -> list[str]:
        """The ids of those that have not been seen to end."""
        return [query_id for query_id in self.ids if query_id not in self.ended_queries]


@dataclass(frozen=True)
class Harness:
    """Files, tables and queries of one fact, all below `workplace.uri`."""

    workplace: EngineContext
    settings: AthenaSettings
    calls: AthenaApi
    account: ProbeQueryLog

    @property
    def queries(self) -> AthenaQueryRunner:
        """Runs queries as the engine does."""
        token, most = self.workplace.token, self.settings.max_bytes_scanned
        return AthenaQueryRunner(self.calls, self.account, token, max_bytes_scanned=most)

    def put(self, name: str, content: bytes) -> str:
        """Write a file and return its URI."""
        uri = f"{self.workplace.uri}/{name}"
        self.workplace.storage.write(uri, content)
        return uri

    def lines(self, files: Mapping[str, bytes], landed: Sequence[str] = ()) -> Relations:
        """The relations of the adapter over new files: `raw_lines`, `raw_files` and `source`."""
        found = [
            LineFile(self.put(name, content), name, None, name in landed, len(content))
            for name, content in files.items()
        ]
        described = self.workplace.scratch / FILES
        describe_files(found, described)
        told = f"{self.workplace.uri}/{FILES}"
        self.workplace.storage.deliver(described, told)
        relations = self.relations()
        relations.read_lines([file.path for file in found], told, FILE_TYPES)
        return relations

    def relations(self) -> Relations:
        """Relations with tables of this fact's own; made once for each fact."""
        workplace = self.workplace
        place, catalog = f"{workplace.uri}/tables", Catalog.of(self.settings)
        return Relations(catalog, workplace.storage, place, workplace.token)

    def run(self, text: str) -> QueryExecution:
        """Run a statement to its success. Raises what `AthenaQueryRunner.run` tells."""
        return self.queries.run(lambda _: text)

    def rows(self, text: str, types: Types) -> list[Row]:
        """The rows of a small result, with columns of these types."""
        return list(result_rows(self.calls.results(self.run(text).id), types))

    def unload(self, query: str, name: str, fmt: Format) -> list[str]:
        """Have a result written to files in the folder `name/1` of this place, in `name/2` where it
        has to be started anew, and so on; their URIs.
        """
        uri = f"{self.workplace.uri}/{name}"
        last = ""

        def text(number: int) -> str:
            nonlocal last
            last = f"{uri}/{number}"
            return unload_statement(query, last, fmt)

        self.queries.run(text)
        return [file.uri for file in self.workplace.storage.list(last)]

    def content(self, uris: Sequence[str]) -> bytes:
        """What files hold, one after the other."""
        found = (self.workplace.storage.read(uri) for uri in uris)
        return b"".join(content for content, _ in filter(None, found))

    def name_of(self, uri: str) -> str:
        """The name of a file as it was put."""
        return uri.removeprefix(f"{self.workplace.uri}/")


def shown(content: bytes) -> str:
    """Bytes as a text that shows each of them."""
    return content.decode("utf-8", "backslashreplace")


def listed(rows: Sequence[Row]) -> list[Any]:
    """Rows as documents have them: one column alone, several as lists, in a settled order."""
    found = [row[0] if len(row) == 1 else list(row) for row in rows]
    return sorted(found, key=repr)


@dataclass(frozen=True)
class Fact:
    """Something that Athena does. `look` tries it out; it returns `expected` where it holds.

    Both are what a JSON document can hold. `name` also names its files and tables.
    """

    name: str
    told: str
    expected: Any
    look: Callable[[Harness], Any]
