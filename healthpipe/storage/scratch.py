"""Scratch on this machine: local copies of stored files, and files that only their owner may read.

Private files and folders hold rejected records, or copies of them.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from healthpipe.aws.session import AwsAccess
from healthpipe.errors import ServiceFailed
from healthpipe.storage import MIN_FILES_TO_LIST, is_s3, open_storage
from healthpipe.storage.base import Progress, Storage, StoredFile

# Returns the paths of local files with the contents of URIs, in their order.
Fetch = Callable[[Sequence[str]], Sequence[Path]]


def local_copies(
    uris: Sequence[str], access: AwsAccess, progress: Progress | None = None
) -> list[Path]:
    """The paths of local files with the contents of `uris`, in their order.

    `progress` is called while objects of S3 are fetched.
    """
    paths: dict[str, Path] = {}
    for remote in (False, True):
        wanted = [uri for uri in dict.fromkeys(uris) if is_s3(uri) is remote]
        if wanted:
            copies = open_storage(wanted[0], access).local_copies(wanted, progress)
            paths |= dict(zip(wanted, copies, strict=True))
    return [paths[uri] for uri in uris]


def stats(uris: Iterable[str], access: AwsAccess) -> dict[str, StoredFile]:
    """The present sizes and versions of files by URI, without files that are not there.

    On S3 a folder with at least `MIN_FILES_TO_LIST` of the files is listed.
    """
    found: dict[str, StoredFile] = {}
    folders: dict[str, set[str]] = {}
    for uri in uris:
        folders.setdefault(uri.rpartition("/")[0] if is_s3(uri) else "", set()).add(uri)
    for folder, wanted in folders.items():
        storage = open_storage(min(wanted), access)
        if folder and len(wanted) >= MIN_FILES_TO_LIST:
            found |= _stats_by_listing(storage, folder, wanted)
            continue
        files = (storage.stat(uri) for uri in sorted(wanted))
        found |= {file.uri: file for file in files if file}
    return found


def _stats_by_listing(storage: Storage, folder: str, wanted: set[str]) -> dict[str, StoredFile]:
    last = max(uri.encode() for uri in wanted)
    found: dict[str, StoredFile] = {}
    for file in storage.list(folder):
        if file.uri in wanted:
            found[file.uri] = file
        if file.uri.encode() >= last:  # S3 lists by the bytes of the keys
            break
    return found


def copy_file(source: str, target: str, access: AwsAccess) -> None:
    """Copy a file atomically from one URI to another, of the same storage or not."""
    storage = open_storage(target, access)
    if is_s3(source) == is_s3(target):
        storage.copy(source, target)
        return
    local = open_storage(source, access).local_copy(source)
    if not is_s3(target):
        storage.copy(str(local), target)
        return
    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        storage.deliver(Path(shutil.copyfile(local, Path(folder, "copy"))), target)


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
