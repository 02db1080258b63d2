"""The engines that run the SQL, each imported when it is opened, and the memory they may take."""

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from healthpipe.aws.session import AthenaSettings, AwsAccess
from healthpipe.cancellation import cancel_on_stop
from healthpipe.choices import EngineName
from healthpipe.errors import UsageError
from healthpipe.storage import is_s3
from healthpipe.text import parse_size, written_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from healthpipe.engines.base import Engine, EngineContext
    from healthpipe.engines.dry_run import DryRunEngine


MEMORY_OPTION, MEMORY_VARIABLE = "--memory-limit", "HEALTHPIPE_MEMORY_LIMIT"
# Bytes. With less than the minimum DuckDB cannot write what has long lines.
MEMORY_LIMIT, MIN_MEMORY_LIMIT = 1_000_000_000, 300_000_000
_chosen_limits: list[int] = []


def use_memory_limit(limit: int | None) -> None:
    """Limit the memory that DuckDB takes in this process, in bytes; None sets no limit of its own.

    Raises `UsageError` where it is too small.
    """
    _chosen_limits[:] = [] if limit is None else [_checked(limit)]


def memory_limit() -> int:
    """The bytes that DuckDB may take in this process: chosen, or as the environment says.

    No command line has read the environment of a Lambda function. Raises `UsageError`.
    """
    if _chosen_limits:
        return _chosen_limits[0]
    given = os.environ.get(MEMORY_VARIABLE)
    if not given:
        return MEMORY_LIMIT
    try:
        return _checked(parse_size(given))
    except ValueError as error:
        raise UsageError(
            f"{MEMORY_VARIABLE} in the environment: {error}", "give for example 2GB"
        ) from error


def _checked(limit: int) -> int:
    if limit < MIN_MEMORY_LIMIT:
        raise UsageError(
            f"{MEMORY_OPTION} {written_size(limit)} is too little",
            f"give at least {written_size(MIN_MEMORY_LIMIT)}",
        )
    return limit


def require_reachable_root(name: EngineName, root: str) -> None:
    """Raise `UsageError` where an engine cannot read a root, before anything is written."""
    if name is EngineName.ATHENA and not is_s3(root):
        raise UsageError(
            "--engine athena reads and writes S3 alone", "give --root s3://BUCKET/PREFIX"
        )


@contextmanager
def open_engine(
    name: EngineName, context: "EngineContext", settings: AthenaSettings | None = None
) -> "Iterator[Engine]":
    """Open the engine of that name for the block; its query is stopped when the work is cancelled.

    Raises `UsageError` and `ServiceFailed`.
    """
    opened = _create_engine(name, context, settings or AthenaSettings())
    with opened as engine, cancel_on_stop(engine.cancel):
        yield engine


@contextmanager
def open_dry_run(
    name: EngineName,
    scratch: "Path",
    settings: AthenaSettings,
    run: str,
) -> "Iterator[DryRunEngine]":
    """Open an engine of that name that records its statements and runs none, for the block.

    `run` is the URI of the run. Results are empty files in the local folder `scratch`.
    """
    opened: DryRunEngine
    if name is EngineName.ATHENA:
        from healthpipe.engines.athena.dry_run import AthenaDryRun

        opened = AthenaDryRun(scratch, settings, run)
    else:
        from healthpipe.engines.dry_run import DuckDBDryRun

        opened = DuckDBDryRun(scratch)
    with opened as engine:
        yield engine


@contextmanager
def open_nearby(engine: "Engine", scratch: "Path") -> "Iterator[Engine]":
    """An engine that reads files of this machine, for the block: a given one if it can."""
    if engine.reads_local_files:
        yield engine
        return
    with open_embedded(scratch) as embedded:
        yield embedded


@contextmanager
def open_embedded(scratch: "Path", access: AwsAccess | None = None) -> "Iterator[Engine]":
    """Open the embedded engine for the block, whichever engine a run has; it spills to `scratch`.

    Objects of S3 are fetched with `access`.
    """
    from healthpipe.engines.base import EngineContext
    from healthpipe.storage.local import LocalStorage

    context = EngineContext(scratch, str(scratch), LocalStorage())
    settings = AthenaSettings(access or AwsAccess())
    with open_engine(EngineName.DUCKDB, context, settings) as engine:
        yield engine


def stop_queries(settings: AthenaSettings, ids: "Sequence[str]") -> list[tuple[str, str, int]]:
    """Stop queries of Athena that another process started, and wait for their end.

    Returns the id, the state and the bytes scanned of each that Athena still knows. Raises
    `UsageError` or `ServiceFailed`.
    """
    if not ids:
        return []
    from healthpipe.engines.athena import queries

    ended = queries.stop_queries(settings, ids)
    return [(each.id, each.state, each.bytes_scanned) for each in ended]


def drop_run_tables(settings: AthenaSettings, run_id: str) -> None:
    """Drop the Glue tables that a run has left. Raises `UsageError` or `ServiceFailed`."""
    from healthpipe.engines.athena.glue import drop_tables

    drop_tables(settings, run_id)


def _create_engine(
    name: EngineName, context: "EngineContext", settings: AthenaSettings
) -> "Engine":
    if name is EngineName.ATHENA:
        from healthpipe.engines.athena.engine import AthenaEngine

        return AthenaEngine.open(context, settings)
    from healthpipe.engines.duckdb import DuckDBEngine
    from healthpipe.storage.scratch import local_copies

    fetch = partial(local_copies, access=settings.access)
    return DuckDBEngine(context.spill or context.scratch, fetch)
