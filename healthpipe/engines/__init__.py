"""The engines that run the SQL, each imported when it is opened."""

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from healthpipe.aws.session import AthenaSettings, AwsAccess
from healthpipe.cancellation import cancel_on_stop
from healthpipe.choices import EngineName
from healthpipe.errors import UsageError
from healthpipe.storage import is_s3

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from healthpipe.engines.base import Engine, EngineContext
    from healthpipe.engines.dry_run import DryRunEngine


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

    return DuckDBEngine(context.scratch, partial(local_copies, access=settings.access))
