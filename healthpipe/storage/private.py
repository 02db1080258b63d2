"""Files and folders that only their owner may read: they hold rejected records or their copies."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from healthpipe.errors import ServiceFailed

OWNER_ONLY, OWNER_ONLY_FOLDER = 0o600, 0o700
_NAME_DIGITS = 24


def make_private_file(path: Path) -> Path:
    """Create an empty file with mode 0600, replacing one that is there; returns its path."""
    path.unlink(missing_ok=True)
    path.touch(OWNER_ONLY, exist_ok=False)
    return path


def scratch_folder(uri: str) -> Path:
    """The folder of this machine for temporary files that belong to a URI on S3.

    It is the same in each process of this user, and need not be there.
    """
    digest = hashlib.sha256(uri.encode()).hexdigest()
    return _user_folder() / digest[:_NAME_DIGITS]


def make_scratch_folder(folder: Path) -> None:
    """Create a `scratch_folder`, readable by this user alone. Raises `ServiceFailed`."""
    parent = _user_folder()
    parent.mkdir(mode=OWNER_ONLY_FOLDER, exist_ok=True)
    status = parent.lstat()
    # Anybody can make a folder of that name, or a link, before we do.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ServiceFailed(
            f"{parent} is not this user's alone", "remove it, or set TMPDIR to another folder"
        )
    folder.mkdir(exist_ok=True)


def _user_folder() -> Path:
    return Path(tempfile.gettempdir(), f"healthpipe-{os.getuid()}")
