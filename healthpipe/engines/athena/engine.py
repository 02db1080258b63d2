"""The engine on AWS: Athena runs the SQL, this machine formats the results."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from healthpipe.aws.session import AthenaSettings, AwsAccess
from healthpipe.cancellation import Clock
from healthpipe.choices import Format
from healthpipe.engines.athena.api import AthenaApi, result_configuration
from healthpipe.engines.athena.errors import FilesUnreadable, QueryExecution
from healthpipe.engines.athena.glue import Catalog
from healthpipe.engines.athena.queries import AthenaQueryRunner, QueryRunner
from healthpipe.engines.athena.relations import (
    FILE_TYPES,
    Relations,
    Tables,
    describe_files,
    describe_segments,
)
from healthpipe.engines.athena.results import (
    ResultParts,
    have_text_form,
    result_rows,
    unload_statement,
)
from healthpipe.engines.athena.schema import SchemaEngine, Types, cast_to, empty_query, fetch_footer
from healthpipe.engines.base import (
    Engine,
    EngineContext,
    LineFile,
    LinesRefused,
    Relation,
    Row,
    SegmentRows,
)
from healthpipe.engines.duckdb import COPY_OPTIONS, LINE_OPTIONS, TABLE_OPTIONS
from healthpipe.engines.ordering import defer_order, without_order
from healthpipe.engines.sql import ATHENA, DUCKDB, statement
from healthpipe.errors import HealthpipeError, StillRunning

# Everything that the engine keeps for itself on S3 is below this folder of the attempt's URI.
OWN_FOLDER, RESULTS = "athena", "results"


class AthenaEngine(Engine):
    """Runs the queries of one attempt at a step on Athena.

    A step that is called again for the same attempt has to call the same methods with the same
    arguments in the same order: then the queries that it had started are found again, by their
    texts. Every method that runs a query raises what `AthenaQueryRunner.run` does.
    """

    name: ClassVar[str] = "athena"

    def __init__(
        self, context: EngineContext, access: AwsAccess, queries: QueryRunner, tables: Tables
    ) -> None:
        self._context, self._access, self._queries = context, access, queries
        self._folder = f"{context.uri}/{OWN_FOLDER}"
        self._relations = Relations(tables, context.storage, self._folder, context.token)
        self._schemas = SchemaEngine(context.scratch)
        self._files: dict[str, LineFile] = {}
        # The statement of the last result that was fetched, and its local files.
        self._last_fetched: tuple[str, Sequence[Path]] = ("", ())
        self._is_left_running = False

    @classmethod
    def open(cls, context: EngineContext, settings: AthenaSettings) -> Self:
        """Open the engine with these settings. Raises `UsageError` and `ServiceFailed`."""
        configuration = result_configuration(settings, f"{context.uri}/{OWN_FOLDER}/{RESULTS}")
        queries = AthenaQueryRunner(
            AthenaApi.open(settings, Clock(), configuration),
            context.query_log,
            context.token,
            context.wait_limit_s,
            settings.max_bytes_scanned,
        )
        return cls(context, settings.access, queries, Catalog.of(settings))

    def read_lines(self, files: Sequence[LineFile]) -> None:
        self._schemas.read_lines()
        if not files:
            self._relations.define("source", empty_query(self._schemas.types("from source")))
            return
        self._files = {file.path: file for file in files}
        description = self._context.scratch / "raw-files.parquet"
        describe_files(files, description)
        uri = f"{self._relations.next_folder('files')}/files.parquet"
        self._context.storage.deliver(description, uri)
        self._relations.read_lines(list(self._files), uri, FILE_TYPES)

    def read_table(self, name: str, paths: Sequence[str]) -> None:
        footer = self._context.scratch / f"footer-{name}.parquet"
        fetch_footer(self._access, paths[0], footer)
        self._schemas.read_table(name, footer)
        footer.unlink()
        types = self._schemas.types(f"from {name}")
        self._relations.read_parquet(name, types, paths)

    def read_segments(self, name: str, segments: Sequence[SegmentRows]) -> None:
        paths = [path for segment in segments for path in segment.paths]
        footer = self._context.scratch / f"footer-{name}.parquet"
        fetch_footer(self._access, paths[0], footer)
        self._schemas.read_segment(name, footer)
        footer.unlink()
        self._read_segments(name, segments, self._schemas.types(f"from {name}"))

    def _read_segments(self, name: str, segments: Sequence[SegmentRows], types: Types) -> None:
        description = self._context.scratch / "segment-files.parquet"
        describe_segments(segments, description)
        uri = f"{self._relations.next_folder('files')}/files.parquet"
        self._context.storage.deliver(description, uri)
        paths = [path for segment in segments for path in segment.paths]
        self._relations.read_segments(name, types, paths, uri)

    def define(self, name: str, relation: Relation) -> None:
        self._schemas.define(name, relation)
        self._relations.define(name, statement(relation, ATHENA))

    def materialize(self, name: str, relation: Relation) -> None:
        unordered = without_order(relation)
        types = self._schemas.types(statement(unordered, DUCKDB))
        folder = self._relations.next_folder(name)
        files = self._unload(statement(unordered, ATHENA), types, folder, Format.PARQUET)
        self._relations.read_parquet(name, types, files)
        self._schemas.materialize(name, relation)

    def rows(self, relation: Relation) -> list[Row]:
        types = self._schemas.types(statement(relation, DUCKDB))
        if not have_text_form(types):
            return list(self.stream(relation))
        text = self._relations.statement(statement(relation, ATHENA))
        ended = self._run(lambda _: text)
        return list(result_rows(self._queries.result_pages(ended.id), types))

    def stream(self, relation: Relation) -> Iterator[Row]:
        yield from self._fetch(relation).rows()

    def write(self, relation: Relation, path: Path, fmt: Format) -> int:
        return self._fetch(relation).write(path, COPY_OPTIONS[fmt])

    def write_table(self, relation: Relation, path: Path) -> int:
        return self._fetch(relation).write(path, TABLE_OPTIONS)

    def write_lines(self, relation: Relation, path: Path) -> int:
        return self._fetch(relation).write(path, LINE_OPTIONS)

    def unload(self, relation: Relation, uri: str, fmt: Format) -> list[str]:
        unordered = without_order(relation)
        types = self._schemas.types(statement(unordered, DUCKDB))
        return self._unload(statement(unordered, ATHENA), types, uri, fmt)

    def progress(self) -> None:
        return None

    def cancel(self) -> None:
        self._queries.cancel()

    def close(self) -> None:
        self._schemas.close()
        # What a query that goes on still reads must stay; so does what nobody has time to remove.
        if self._is_left_running:
            return
        with suppress(HealthpipeError):
            self._relations.drop()
            self._queries.raise_if_cancelled()
            self._context.storage.delete_folder(self._folder)

    def _fetch(self, relation: Relation) -> ResultParts:
        """Unload a result and copy its files to this machine.

        A result that is written in two formats is queried once.
        """
        result = defer_order(relation)
        query = result.text(ATHENA)
        types = self._schemas.types(result.text(DUCKDB))
        text = self._relations.statement(query)
        if self._last_fetched[0] != text:
            folder = self._relations.next_folder("result")
            uris = self._unload(query, types, folder, Format.PARQUET)
            self._last_fetched = (text, self._context.storage.local_copies(uris))
        return ResultParts(self._context.scratch, result, types, self._last_fetched[1])

    def _unload(self, query: str, types: Types, uri: str, fmt: Format) -> list[str]:
        """Unload the columns `types` of a query to a folder below `uri`; returns the files' URIs.

        Each start of the query has a folder of its own: UNLOAD writes to an empty folder only.
        """
        text = self._relations.statement(cast_to(query, types))
        folder = ""

        def unload_text(number: int) -> str:
            nonlocal folder
            folder = f"{uri}/{number}"
            return unload_statement(text, folder, fmt)

        self._run(unload_text)
        return [file.uri for file in self._context.storage.list(folder)]

    def _run(self, text: Callable[[int], str]) -> QueryExecution:
        """Run a query; raises `LinesRefused` with the raw files that make it fail."""
        try:
            return self._queries.run(text)
        except StillRunning:
            self._is_left_running = True
            raise
        except FilesUnreadable as error:
            refused = self._refused(error) if self._relations.reads_lines(text(1)) else []
            if not refused:
                raise
            raise LinesRefused(refused) from error

    def _refused(self, error: FilesUnreadable) -> list[str]:
        """The raw files that a query may have failed at: those that the error names, else all.

        No file that ingest has written is landed again.
        """
        unverified = [path for path, file in self._files.items() if not file.landed]
        named = [path for path in unverified if path in error.uris]
        return named or unverified
