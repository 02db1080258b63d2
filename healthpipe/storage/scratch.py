"""Folders of this machine for what a run keeps only while it is at work, where its root is not."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from healthpipe.errors import ServiceFailed

NAME_DIGITS = 24


def scratch_for(uri: str) -> Path:
    """The folder for what lies at a URI elsewhere: the same in each process of this user."""
    name = hashlib.sha256(uri.encode()).hexdigest()[:NAME_DIGITS]
    return _own_folder() / name


def make_scratch(folder: Path) -> None:
    """Make such a folder, which only this user can read. Raises `ServiceFailed`."""
    own = _own_folder()
    own.mkdir(mode=0o700, exist_ok=True)
    status = own.lstat()
    # Anybody can make a folder of that name, or a link, before we do.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ServiceFailed(
            f"{own} is not this user's alone", "remove it, or set TMPDIR to another folder"
        )
    folder.mkdir(exist_ok=True)


def _own_folder() -> Path:
    return Path(tempfile.gettempdir(), f"healthpipe-{os.getuid()}")
