"""A file copied from one storage to another, or within one."""

import shutil
import tempfile
from pathlib import Path

from healthpipe.aws.access import AwsAccess
from healthpipe.storage import open_storage
from healthpipe.storage.uris import is_s3


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
