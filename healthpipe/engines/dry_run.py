"""A dry run of an engine: it records its statements, reads nothing and writes nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from healthpipe.choices import Format
from healthpipe.engines.base import Engine, Query, Relation, Row
from healthpipe.engines.duckdb import DuckDBEngine
from healthpipe.engines.sql import DUCKDB
from healthpipe.storage.base import Storage
from healthpipe.storage.local import LocalStorage

# The rows of queries whose results decide which statements follow: those of the general case, in
# which some facility has several records.
RESULTS: dict[str, list[Row]] = {
    "rivalry": [(True, False)],
    "balance": [(0, 0, 0, 0, 0)],
    "already_expired": [(0,)],
}


def dry_run_rows(relation: Relation) -> list[Row]:
    """The rows that a dry run takes for the result of a query."""
    return RESULTS.get(relation.name, []) if isinstance(relation, Query) else []


class DryRunEngine(Engine):
    """An engine that appends its statements to `script`, in their order, and to `tables` the
    tables that it would create for them.

    Results that it would write itself are empty; `storage` stands for the root's.
    """

    script: list[str]
    tables: list[str]
    storage: Storage


class DuckDBDryRun(DuckDBEngine, DryRunEngine):
    """The embedded engine's statements, with the values of their parameters."""

    def __init__(self, scratch: Path) -> None:
        self.script: list[str] = []
        self.tables: list[str] = []
        self.storage = LocalStorage()
        super().__init__(scratch, lambda uris: [Path(uri) for uri in uris])

    def rows(self, relation: Relation) -> list[Row]:
        super().rows(relation)
        return dry_run_rows(relation)

    def write(self, relation: Relation, path: Path, fmt: Format) -> int:
        path.touch()
        return super().write(relation, path, fmt)

    def write_table(self, relation: Relation, path: Path) -> int:
        path.touch()
        return super().write_table(relation, path)

    def write_lines(self, relation: Relation, path: Path) -> int:
        path.touch()
        return super().write_lines(relation, path)

    def _run(self, text: str, parameters: Sequence[Any] | None = None) -> duckdb.DuckDBPyConnection:
        for number, value in enumerate(parameters or (), start=1):
            text = text.replace(f"${number}", exp.convert(value).sql(DUCKDB))
        self.script.append(text)
        return self._connection.execute("select 1 where false")

    def _detect_malformed(self, paths: Sequence[str]) -> None:  # noqa: ARG002
        """Leave the variables at their defaults: no lines are read."""
        self._set_variable("has_wrong_escapes", False)
        self._set_variable("has_malformed", False)
