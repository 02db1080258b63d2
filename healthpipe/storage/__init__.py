"""Storage of files under URIs: a URI is a path of this machine, or s3://bucket/key."""

import os
import re
from typing import TYPE_CHECKING

from healthpipe.aws.session import AwsAccess
from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from healthpipe.storage.base import Storage


def open_storage(uri: str, access: AwsAccess | None = None) -> "Storage":
    """Open the storage of `uri`: S3 with `access`, or the file systems of this machine."""
    if uri.startswith("s3://"):
        from healthpipe.storage.s3.storage import S3Storage

        return S3Storage(access)
    from healthpipe.storage.local import LocalStorage

    return LocalStorage()


S3 = "s3://"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

# To find this many files of a folder on S3 it is listed, which takes one request for a thousand
# files; fewer are asked for one by one.
MIN_FILES_TO_LIST = 20


def is_s3(uri: str) -> bool:
    """Whether a URI is one of S3."""
    return uri.startswith(S3)


def absolute_uri(uri: str) -> str:
    """The URI of a file for any working folder. Links are not followed."""
    # Path.resolve follows links, and Path.absolute keeps `..`.
    return uri if is_s3(uri) else os.path.abspath(uri)  # noqa: PTH100


def split_s3(uri: str) -> tuple[str, str]:
    """Split an s3:// URI into bucket and key. Raises `UsageError` for an invalid bucket name."""
    bucket, _, key = uri.removeprefix(S3).partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise UsageError(
            f"{uri} names no bucket" if not bucket else f"{bucket!r} is no name of a bucket",
            "give s3://bucket/prefix: 3 to 63 lower-case letters, digits, dots and hyphens",
        )
    return bucket, key


def s3_folder(uri: str) -> str:
    """The URI of a bucket or a prefix without a slash at its end. Raises `UsageError`."""
    bucket, key = split_s3(uri)
    prefix = key.strip("/")
    if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
        raise UsageError(f"{uri} is no prefix to work in", "give it without empty parts and dots")
    return f"{S3}{bucket}/{prefix}" if prefix else f"{S3}{bucket}"
