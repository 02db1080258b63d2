"""The engines that run the SQL, each imported only when it is asked for."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from healthpipe.errors import NotSupportedYet
from healthpipe.stopping import cancelled_when_stopping
from healthpipe.words import EngineName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from healthpipe.engines.base import Engine


def require_supported(name: EngineName) -> None:
    """Refuse an engine that the design names and this version lacks, before anything is written."""
    if name is EngineName.ATHENA:
        raise NotSupportedYet("--engine athena is not supported yet", "use --engine duckdb")


@contextmanager
def open_engine(name: EngineName, scratch: "Path") -> "Iterator[Engine]":
    """The engine of that name while the block runs; what it runs ends when the process stops.

    It may spill to `scratch`, a folder of the run alone.
    """
    require_supported(name)
    from healthpipe.engines.duckdb import DuckDBEngine

    with DuckDBEngine(scratch) as engine, cancelled_when_stopping(engine.cancel):
        yield engine
