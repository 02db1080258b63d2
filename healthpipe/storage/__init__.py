"""Storage of files under URIs, which are local paths or s3://bucket/key."""

from typing import TYPE_CHECKING

from healthpipe.aws.session import AwsAccess

if TYPE_CHECKING:
    from healthpipe.storage.base import Storage


def open_storage(uri: str, access: AwsAccess | None = None) -> "Storage":
    """Open the storage of `uri`: S3 with `access`, or the file systems of this machine."""
    if uri.startswith("s3://"):
        from healthpipe.storage.s3.storage import S3Storage

        return S3Storage(access)
    from healthpipe.storage.local import LocalStorage

    return LocalStorage()
