"""Engines that say their statements instead of running them: nothing is read, nothing written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from healthpipe.choices import Format
from healthpipe.engines.base import Engine, Query, Relation, Row
from healthpipe.engines.duckdb import DuckDBEngine
from healthpipe.storage.base import Storage
from healthpipe.storage.local import LocalStorage

# What is asked on the way, answered so that the statements are those of the general case: some
# facility has several records. Which of the others are run hangs on the data.
ANSWERS: dict[str, list[Row]] = {
    "rivalry": [(True, False)],
    "balance": [(0, 0, 0, 0, 0)],
    "already_expired": [(0,)],
}


def dry_run_rows(relation: Relation) -> list[Row]:
    """The rows that a rehearsal goes on with."""
    return ANSWERS.get(relation.name, []) if isinstance(relation, Query) else []


class DryRunEngine(Engine):
    """An engine that keeps its statements in `script`, in their order, and in `tables` what tables
    it would make for them.

    Results that it would write itself have no rows, at a place that `storage` stands for.
    """

    script: list[str]
    tables: list[str]
    storage: Storage


class DuckDBDryRun(DuckDBEngine, DryRunEngine):
    """The embedded engine's statements, their parameters filled in."""

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

    def write_lines(self, relation: Relation, path: Path) -> int:
        path.touch()
        return super().write_lines(relation, path)

    def _run(self, text: str, parameters: Sequence[Any] | None = None) -> duckdb.DuckDBPyConnection:
        for place, value in enumerate(parameters or (), start=1):
            text = text.replace(f"${place}", exp.convert(value).sql("duckdb"))
        self.script.append(text)
        return self._connection.execute("select 1 where false")

    def _sample(self, paths: Sequence[str]) -> None:  # noqa: ARG002
        """What a look at the lines decides is left at its default: values never get in."""
        self._set("has_wrong_escapes", False)
        self._set("has_malformed", False)
