"""The engines that run the SQL, each imported only when it is asked for."""

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from healthpipe.aws.session import AthenaSettings, AwsAccess
from healthpipe.cancellation import cancel_on_stop
from healthpipe.choices import EngineName
from healthpipe.errors import UsageError
from healthpipe.storage.uris import is_s3

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from healthpipe.engines.base import Engine, EngineContext
    from healthpipe.engines.dry_run import DryRunEngine


def require_reachable_root(name: EngineName, root: str) -> None:
    """Refuse an engine that cannot read a root, before anything is written."""
    if name is EngineName.ATHENA and not is_s3(root):
        raise UsageError(
            "--engine athena reads and writes S3 alone", "give --root s3://BUCKET/PREFIX"
        )


@contextmanager
def open_engine(
    name: EngineName, workplace: "EngineContext", settings: AthenaSettings | None = None
) -> "Iterator[Engine]":
    """The engine of that name while the block runs; what it runs ends when the process stops."""
    made = _made(name, workplace, settings or AthenaSettings())
    with made as engine, cancel_on_stop(engine.cancel):
        yield engine


@contextmanager
def open_dry_run(
    name: EngineName,
    scratch: "Path",
    settings: AthenaSettings,
    run: str,
) -> "Iterator[DryRunEngine]":
    """An engine of that name that only says what it would do, for a run of which `run` is the URI.

    Results are empty files in `scratch`.
    """
    made: DryRunEngine
    if name is EngineName.ATHENA:
        from healthpipe.engines.athena.dry_run import AthenaDryRun

        made = AthenaDryRun(scratch, settings, run)
    else:
        from healthpipe.engines.dry_run import DuckDBDryRun

        made = DuckDBDryRun(scratch)
    with made as engine:
        yield engine


@contextmanager
def open_embedded(scratch: "Path", access: AwsAccess | None = None) -> "Iterator[Engine]":
    """The embedded engine, whichever engine a run has; it spills to `scratch`."""
    from healthpipe.engines.base import EngineContext
    from healthpipe.storage.local import LocalStorage

    workplace = EngineContext(scratch, str(scratch), LocalStorage())
    settings = AthenaSettings(access or AwsAccess())
    with open_engine(EngineName.DUCKDB, workplace, settings) as engine:
        yield engine


def stop_queries(settings: AthenaSettings, ids: "Sequence[str]") -> list[tuple[str, str, int]]:
    """Stop queries that somebody else started elsewhere, and wait for their end: the id, the state
    and the bytes scanned of each that is still known. Raises `UsageError` or `ServiceFailed`.
    """
    if not ids:
        return []
    from healthpipe.engines.athena import queries

    ended = queries.stop_queries(settings, ids)
    return [(each.id, each.state, each.bytes_scanned) for each in ended]


def drop_run_tables(settings: AthenaSettings, run_id: str) -> None:
    """Drop the tables that a run has left elsewhere. Raises `UsageError` or `ServiceFailed`."""
    from healthpipe.engines.athena.glue import drop_tables

    drop_tables(settings, run_id)


def _made(name: EngineName, workplace: "EngineContext", settings: AthenaSettings) -> "Engine":
    if name is EngineName.ATHENA:
        from healthpipe.engines.athena.engine import AthenaEngine

        return AthenaEngine.open(workplace, settings)
    from healthpipe.engines.duckdb import DuckDBEngine
    from healthpipe.storage.copies import local_copies

    return DuckDBEngine(workplace.scratch, partial(local_copies, access=settings.access))
