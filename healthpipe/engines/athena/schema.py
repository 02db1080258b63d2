"""The same relations without rows, in the embedded engine: it tells the types of every result.

So they are known before a query runs and without a file, which a result without rows lacks.
"""

from pathlib import Path

from healthpipe.engines.athena.types import Types
from healthpipe.engines.base import LineFile
from healthpipe.engines.duckdb import DuckDBEngine
from healthpipe.engines.query import Relation

NO_LINES, NO_ROWS = "no-lines.jsonl", "no-rows-{}.parquet"


class Twin:
    """Knows the relations that an engine elsewhere knows. It writes small files to `scratch`."""

    def __init__(self, scratch: Path) -> None:
        self._engine = DuckDBEngine(scratch, lambda paths: [Path(path) for path in paths])
        self._scratch = scratch

    def read_lines(self) -> None:
        """Make the relation `source`."""
        nothing = self._scratch / NO_LINES
        nothing.touch()
        self._engine.read_lines([LineFile(str(nothing), "", None, landed=False, size=0)])

    def read_table(self, name: str, schema: Path) -> None:
        """Make the relation `name` as the footer of a Parquet file describes it."""
        nothing = self._scratch / NO_ROWS.format(name)
        self._engine.write_schema(schema, nothing)
        self._engine.read_table(name, [str(nothing)])

    def define(self, name: str, relation: Relation) -> None:
        """Give a name to a query."""
        self._engine.define(name, relation)

    def materialize(self, name: str, relation: Relation) -> None:
        """Give a name to what a query finds."""
        self._engine.materialize(name, relation)

    def types(self, query: str) -> Types:
        """The types of the columns of a query in DuckDB's dialect."""
        return self._engine.types(query)

    def close(self) -> None:
        """Give back memory."""
        self._engine.close()
