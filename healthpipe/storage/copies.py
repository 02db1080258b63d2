"""Files of whatever storage, several at once: as local copies, and as they are now.

A file copied from one storage to another, or within one.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from healthpipe.aws.session import AwsAccess
from healthpipe.storage import open_storage
from healthpipe.storage.base import Progress, Storage, StoredFile
from healthpipe.storage.uris import WORTH_A_LISTING, is_s3

Fetch = Callable[[Sequence[str]], Sequence[Path]]


def local_copies(
    uris: Sequence[str], access: AwsAccess, progress: Progress | None = None
) -> list[Path]:
    """Local files with the contents of `uris`, in their order."""
    found: dict[str, Path] = {}
    for remote in (False, True):
        wanted = [uri for uri in dict.fromkeys(uris) if is_s3(uri) is remote]
        if wanted:
            copies = open_storage(wanted[0], access).local_copies(wanted, progress)
            found |= dict(zip(wanted, copies, strict=True))
    return [found[uri] for uri in uris]


def stats(uris: Iterable[str], access: AwsAccess) -> dict[str, StoredFile]:
    """Files as they are now, by their URIs, without those that are not there.

    On S3 a folder that holds many of them is listed, which takes a request for a thousand.
    """
    found: dict[str, StoredFile] = {}
    folders: dict[str, set[str]] = {}
    for uri in uris:
        folders.setdefault(uri.rpartition("/")[0] if is_s3(uri) else "", set()).add(uri)
    for folder, wanted in folders.items():
        storage = open_storage(min(wanted), access)
        if folder and len(wanted) >= WORTH_A_LISTING:
            found |= _listed(storage, folder, wanted)
            continue
        each_alone = (storage.stat(uri) for uri in sorted(wanted))
        found |= {file.uri: file for file in each_alone if file}
    return found


def _listed(storage: Storage, folder: str, wanted: set[str]) -> dict[str, StoredFile]:
    last = max(uri.encode() for uri in wanted)
    found: dict[str, StoredFile] = {}
    for file in storage.list(folder):
        if file.uri in wanted:
            found[file.uri] = file
        if file.uri.encode() >= last:  # S3 lists by the bytes of the keys
            break
    return found


def copy_file(source: str, target: str, access: AwsAccess) -> None:
    """Put a copy of a file in place, whole."""
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
