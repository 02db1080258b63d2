"""The engine on AWS: Athena runs the SQL, this machine formats what comes of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from healthpipe.aws.session import AthenaSettings, AwsAccess
from healthpipe.choices import Format
from healthpipe.engines.athena.api import AthenaApi, Clock, result_configuration
from healthpipe.engines.athena.errors import FilesUnreadable, QueryExecution
from healthpipe.engines.athena.glue import Catalog
from healthpipe.engines.athena.queries import AthenaQueryRunner, QueryRunner
from healthpipe.engines.athena.relations import Relations, Tables
from healthpipe.engines.athena.results import (
    FILE_TYPES,
    ResultParts,
    are_told_as_text,
    describe_files,
    result_rows,
    unload_statement,
)
from healthpipe.engines.athena.schema import SchemaEngine, Types, cast_to, empty_query, fetch_footer
from healthpipe.engines.base import Engine, EngineContext, LineFile, LinesRefused, Relation, Row
from healthpipe.engines.duckdb import COPY_OPTIONS, LINE_OPTIONS
from healthpipe.engines.ordering import defer_order, without_order
from healthpipe.engines.sql import ATHENA, statement
from healthpipe.errors import HealthpipeError, StillRunning

DUCKDB = "duckdb"
# Everything that the engine keeps for itself on S3 is below this folder of the attempt's place.
OWN_FOLDER, RESULTS = "athena", "results"


class AthenaEngine(Engine):
    """Runs queries for one attempt at a step. Called again for the same attempt, it has to be asked
    for the same things in the same order, and then goes on with the queries that it had started.

    Every method that runs a query raises what `AthenaQueryRunner.run` tells.
    """

    name: ClassVar[str] = "athena"

    def __init__(
        self, workplace: EngineContext, access: AwsAccess, queries: QueryRunner, tables: Tables
    ) -> None:
        self._workplace, self._access, self._queries = workplace, access, queries
        self._own = f"{workplace.uri}/{OWN_FOLDER}"
        self._relations = Relations(tables, workplace.storage, self._own, workplace.token)
        self._twin = SchemaEngine(workplace.scratch)
        self._files: dict[str, LineFile] = {}
        self._last_fetched: tuple[str, Sequence[Path]] = ("", ())
        self._is_left_running = False

    @classmethod
    def open(cls, workplace: EngineContext, settings: AthenaSettings) -> Self:
        """The engine that these settings lead to. Raises `UsageError` and `ServiceFailed`."""
        place = result_configuration(settings, f"{workplace.uri}/{OWN_FOLDER}/{RESULTS}")
        queries = AthenaQueryRunner(
            AthenaApi.to(settings, Clock(), place),
            workplace.journal,
            workplace.token,
            workplace.patience_s,
            settings.max_bytes_scanned,
        )
        return cls(workplace, settings.access, queries, Catalog.of(settings))

    def read_lines(self, files: Sequence[LineFile]) -> None:
        self._twin.read_lines()
        if not files:
            self._relations.define("source", empty_query(self._twin.types("from source")))
            return
        self._files = {file.path: file for file in files}
        described = self._workplace.scratch / "raw-files.parquet"
        describe_files(files, described)
        uri = f"{self._relations.next_place('files')}/files.parquet"
        self._workplace.storage.deliver(described, uri)
        self._relations.read_lines(list(self._files), uri, FILE_TYPES)

    def read_table(self, name: str, paths: Sequence[str]) -> None:
        footer = self._workplace.scratch / f"footer-{name}.parquet"
        fetch_footer(self._access, paths[0], footer)
        self._twin.read_table(name, footer)
        footer.unlink()
        types = self._twin.types(f"from {name}")
        self._relations.read_parquet(name, types, paths)

    def define(self, name: str, relation: Relation) -> None:
        self._twin.define(name, relation)
        self._relations.define(name, statement(relation, ATHENA))

    def materialize(self, name: str, relation: Relation) -> None:
        anyhow = without_order(relation)
        types = self._twin.types(statement(anyhow, DUCKDB))
        files = self._unload(
            statement(anyhow, ATHENA), types, self._relations.next_place(name), Format.PARQUET
        )
        self._relations.read_parquet(name, types, files)
        self._twin.materialize(name, relation)

    def rows(self, relation: Relation) -> list[Row]:
        types = self._twin.types(statement(relation, DUCKDB))
        if not are_told_as_text(types):
            return list(self.stream(relation))
        text = self._relations.statement(statement(relation, ATHENA))
        ended = self._run(lambda _: text)
        return list(result_rows(self._queries.results(ended.id), types))

    def stream(self, relation: Relation) -> Iterator[Row]:
        yield from self._fetched(relation).rows()

    def write(self, relation: Relation, path: Path, fmt: Format) -> int:
        return self._fetched(relation).write(path, COPY_OPTIONS[fmt])

    def write_lines(self, relation: Relation, path: Path) -> int:
        return self._fetched(relation).write(path, LINE_OPTIONS)

    def unload(self, relation: Relation, uri: str, fmt: Format) -> list[str]:
        anyhow = without_order(relation)
        types = self._twin.types(statement(anyhow, DUCKDB))
        return self._unload(statement(anyhow, ATHENA), types, uri, fmt)

    def progress(self) -> None:
        return None

    def cancel(self) -> None:
        self._queries.cancel()

    def close(self) -> None:
        self._twin.close()
        # What a query that goes on still reads must stay; so does what nobody has time to remove.
        if self._is_left_running:
            return
        with suppress(HealthpipeError):
            self._relations.drop()
            self._queries.raise_if_stopped()
            self._workplace.storage.delete_folder(self._own)

    def _fetched(self, relation: Relation) -> ResultParts:
        """The rows of a result on this machine. One that is written in two formats is asked for
        once.
        """
        result = defer_order(relation)
        query = result.text(ATHENA)
        types, asked = self._twin.types(result.text(DUCKDB)), self._relations.statement(query)
        if self._last_fetched[0] != asked:
            uris = self._unload(query, types, self._relations.next_place("result"), Format.PARQUET)
            self._last_fetched = (asked, self._workplace.storage.local_copies(uris))
        return ResultParts(self._workplace.scratch, result, types, self._last_fetched[1])

    def _unload(self, query: str, types: Types, uri: str, fmt: Format) -> list[str]:
        """Have a query's columns `types` written below `uri`; the URIs of the files."""
        text = self._relations.statement(cast_to(query, types))
        last = ""

        def unloading(number: int) -> str:
            nonlocal last
            last = f"{uri}/{number}"
            return unload_statement(text, last, fmt)

        self._run(unloading)
        return [file.uri for file in self._workplace.storage.list(last)]

    def _run(self, text: Callable[[int], str]) -> QueryExecution:
        """Run a query; files that make it fail are named by `LinesRefused`."""
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
        """The files of the raw lines that a query may have failed at; no file that ingest wrote
        is landed again.
        """
        unverified = [path for path, file in self._files.items() if not file.landed]
        named = [path for path in unverified if path in error.uris]
        return named or unverified
