"""What a root on this machine needs."""

import shutil
import tempfile
from pathlib import Path

from healthpipe.choices import EngineName
from healthpipe.doctor.checks import Check, Finding, Verdict
from healthpipe.engines import require_reach
from healthpipe.storage.layout import Root

LITTLE_ROOM = 1_000_000_000


def local_checks(root: Root, engine: EngineName) -> list[Check]:
    """The checks of a root in a local folder, for an engine."""
    return [
        Check("root", lambda: _root(root, engine)),
        Check("room", lambda: _room(root), needs=("root",)),
        Check("engine", _engine),
    ]


def _root(root: Root, engine: EngineName) -> Finding | str:
    require_reach(engine, root.uri)
    folder = Path(root.uri)
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):  # the permission bits do not tell everything
            pass
    except OSError as error:
        told = f"{there} cannot be written: {error.strerror}"
        return Finding("root", Verdict.FAILED, told, "mend permissions, or choose another --root")
    return f"{root.place} can be written" if folder.exists() else f"{root.place} will be made"


def _room(root: Root) -> Finding | str:
    folder = Path(root.uri).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / 1e9:.1f} GB free"
    if free < LITTLE_ROOM:
        return Finding("room", Verdict.WARNING, told, "free space: results and copies need some")
    return told


def _engine() -> str:
    import duckdb

    return f"DuckDB {duckdb.__version__}"
