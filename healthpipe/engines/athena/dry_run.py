"""A dry run of the Athena engine: it records queries and tables, and calls no service."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import Format
from healthpipe.engines.athena.engine import AthenaEngine
from healthpipe.engines.athena.errors import QueryExecution
from healthpipe.engines.athena.glue import Table
from healthpipe.engines.athena.schema import Types
from healthpipe.engines.base import EngineContext, Relation, Row, SegmentRows
from healthpipe.engines.dry_run import DryRunEngine, dry_run_rows
from healthpipe.engines.ordering import without_order
from healthpipe.engines.sql import DUCKDB, statement
from healthpipe.storage.base import Storage, StoredFile
from healthpipe.storage.local import LocalStorage

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import GetQueryResultsOutputTypeDef


class AthenaDryRun(AthenaEngine, DryRunEngine):
    """Records the queries that Athena would run for the run with the URI `run`."""

    def __init__(self, scratch: Path, settings: AthenaSettings, run: str) -> None:
        self.script: list[str] = []
        self.tables: list[str] = []
        self.storage = _NullStorage(scratch)
        self._unloaded: dict[str, Relation] = {}
        context = EngineContext(scratch, f"{run}/attempts", self.storage, run.rpartition("/")[2])
        tables = _RecordedTables(settings.database, self.tables)
        super().__init__(context, settings.access, _RecordedQueries(self.script), tables)

    def read_table(self, name: str, paths: Sequence[str]) -> None:
        written = self._unloaded[paths[0]]
        types = self._schemas.types(statement(without_order(written), DUCKDB))
        self._schemas.materialize(name, written)
        self._relations.read_parquet(name, types, paths)

    def read_segments(self, name: str, segments: Sequence[SegmentRows]) -> None:
        written = self._unloaded[segments[0].paths[0]]
        footer = self._context.scratch / f"footer-{name}.parquet"
        self._schemas.write(without_order(written), footer)
        self._schemas.read_segment(name, footer)
        self._read_segments(name, segments, self._schemas.types(f"from {name}"))

    def rows(self, relation: Relation) -> list[Row]:
        super().rows(relation)
        return dry_run_rows(relation)

    def stream(self, relation: Relation) -> Iterator[Row]:
        self._fetch(relation)
        return iter(dry_run_rows(relation))

    def write(self, relation: Relation, path: Path, fmt: Format) -> int:  # noqa: ARG002
        return self.write_lines(relation, path)

    def write_table(self, relation: Relation, path: Path) -> int:
        return self.write_lines(relation, path)

    def write_lines(self, relation: Relation, path: Path) -> int:
        self._fetch(relation)
        path.touch()
        return 0

    def unload(self, relation: Relation, uri: str, fmt: Format) -> list[str]:
        parts = super().unload(relation, uri, fmt)
        self._unloaded |= dict.fromkeys(parts, relation)
        return parts

    def _unload(self, query: str, types: Types, uri: str, fmt: Format) -> list[str]:
        super()._unload(query, types, uri, fmt)
        return [f"{uri}/1/part"]


@dataclass(frozen=True)
class _RecordedQueries:
    """A `QueryRunner` that appends the queries to `script`, and has each succeed."""

    script: list[str]

    def run(self, text: Callable[[int], str]) -> QueryExecution:
        """Record a query as it would be started first."""
        self.script.append(text(1))
        return QueryExecution("", "SUCCEEDED")

    def result_pages(self, query_id: str) -> "Iterator[GetQueryResultsOutputTypeDef]":  # noqa: ARG002
        """No pages."""
        return iter(())

    def cancel(self) -> None:
        """Do nothing: no query runs."""

    def raise_if_cancelled(self) -> None:
        """Do nothing: no query runs."""


@dataclass(frozen=True)
class _RecordedTables:
    """The `Tables` of a dry run: appends what would be created to `tables`."""

    database: str
    tables: list[str]

    def ensure_database(self) -> None:
        """Do nothing."""

    def put(
        self,
        table: Table,
        files: Sequence[str],
        storage: Storage,  # noqa: ARG002
        folder: str,  # noqa: ARG002
    ) -> None:
        """Record a table with its columns and its number of files."""
        columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
        self.tables.append(f"{self.database}.{table.name} ({columns}) over {len(files)} files")

    def drop(self, names: Sequence[str]) -> None:
        """Do nothing."""

    def identifier(self, name: str) -> str:
        """The quoted identifier of a table in SQL."""
        return f'"{self.database}"."{name}"'


class _NullStorage(LocalStorage):
    """A storage that discards files; a local copy of any of them is an empty Parquet file."""

    def __init__(self, scratch: Path) -> None:
        self._empty = scratch / "empty.parquet"

    def list(self, folder: str) -> Iterator[StoredFile]:  # noqa: ARG002
        return iter(())

    def deliver(self, local: Path, uri: str) -> None:  # noqa: ARG002
        local.unlink()

    def delete_folder(self, folder: str) -> None:
        """Do nothing: no folder was written."""

    def local_copy(self, uri: str) -> Path:  # noqa: ARG002
        if not self._empty.exists():
            with duckdb.connect() as connection:
                connection.sql("select 1 as n limit 0").write_parquet(str(self._empty))
        return self._empty
