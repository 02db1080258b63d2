"""The engines that run the SQL, each imported only when it is asked for."""

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from healthpipe.aws.access import AthenaSettings, AwsAccess
from healthpipe.errors import NotSupportedYet
from healthpipe.stopping import cancelled_when_stopping
from healthpipe.words import EngineName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from healthpipe.engines.base import Engine, Workplace
    from healthpipe.engines.rehearsal import Rehearsal


def require_supported(name: EngineName) -> None:
    """Refuse an engine that the design names and this version lacks, before anything is written."""
    if name is EngineName.ATHENA:
        raise NotSupportedYet("--engine athena is not supported yet", "use --engine duckdb")


@contextmanager
def open_engine(
    name: EngineName,
    workplace: "Workplace",
    settings: AthenaSettings | None = None,
) -> "Iterator[Engine]":
    """The engine of that name while the block runs; what it runs ends when the process stops."""
    require_supported(name)
    from healthpipe.engines.duckdb import DuckDBEngine
    from healthpipe.storage.fetching import local_copies

    fetch = partial(local_copies, access=(settings or AthenaSettings()).access)
    with DuckDBEngine(workplace.scratch, fetch) as engine, cancelled_when_stopping(engine.cancel):
        yield engine


@contextmanager
def open_rehearsal(
    name: EngineName,
    scratch: "Path",
    settings: AthenaSettings,  # noqa: ARG001
    run: str,  # noqa: ARG001
) -> "Iterator[Rehearsal]":
    """An engine of that name that only says what it would do, for a run of which `run` is the URI.

    Results are empty files in `scratch`.
    """
    require_supported(name)
    from healthpipe.engines.rehearsal import RehearsedDuckDB

    with RehearsedDuckDB(scratch) as engine:
        yield engine


@contextmanager
def open_embedded(scratch: "Path", access: AwsAccess | None = None) -> "Iterator[Engine]":
    """The embedded engine, whichever engine a run has; it spills to `scratch`."""
    from healthpipe.engines.base import Workplace
    from healthpipe.storage.local import LocalStorage

    workplace = Workplace(scratch, str(scratch), LocalStorage())
    settings = AthenaSettings(access or AwsAccess())
    with open_engine(EngineName.DUCKDB, workplace, settings) as engine:
        yield engine
