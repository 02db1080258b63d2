"""Storage on S3, or on a service with the same interface."""

import datetime
import hashlib
import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from healthpipe.aws.errors import translated_errors
from healthpipe.aws.session import AwsAccess
from healthpipe.errors import ObjectDenied, ObjectMissing, UsageError
from healthpipe.storage.base import Progress, Storage, StoredChecksum, StoredFile
from healthpipe.storage.s3 import deletion, transfer
from healthpipe.storage.s3.cache import Cache, cache_folder, cache_limit
from healthpipe.storage.s3.objects import ObjectReader, versions
from healthpipe.storage.s3.requests import (
    Requests,
    S3Uri,
    conditional_put,
    list_keys,
    list_pages,
    plain_etag,
    response_time,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

READ_BYTES = 1 << 20


class S3Storage(Storage):
    """Atomic by object: one is there whole or not at all, and each request sees the last write.

    A folder is no more than a prefix of keys. So a folder that is delivered or removed can be
    seen half done: whoever publishes one refers to its files from a document written after it.
    Every method raises `UsageError` and `ServiceFailed`: see `healthpipe.aws.errors`.
    """

    def __init__(self, access: AwsAccess | None = None) -> None:
        self._requests = Requests(access or AwsAccess())

    def list(self, folder: str) -> Iterator[StoredFile]:
        prefix = S3Uri.parse(folder)
        for page in list_pages(self._requests, prefix):
            for item in page.get("Contents", []):
                if item["Key"].endswith("/"):  # what consoles make for a folder
                    continue
                uri = S3Uri(prefix.bucket, item["Key"]).uri
                yield _stored_file(uri, item["ETag"], item["Size"], item["LastModified"])

    def folders(self, folder: str) -> Iterator[str]:
        parent = S3Uri.parse(folder)
        names = [
            item["Prefix"][len(parent.folder_prefix) : -1]
            for page in list_pages(self._requests, parent, "/")
            for item in page.get("CommonPrefixes", [])
        ]
        for name in sorted(names):
            yield S3Uri(parent.bucket, f"{parent.folder_prefix}{name}").uri

    def stat(self, uri: str) -> StoredFile | None:
        source = S3Uri.parse(uri)
        if not source.key:
            return None
        try:
            head = self._head(source)
        except ObjectMissing:
            return None
        except ObjectDenied as error:
            return self._stat_by_listing(source, error)
        return _stored_file(uri, head["ETag"], head["ContentLength"], head["LastModified"])

    def _stat_by_listing(self, source: S3Uri, denied: ObjectDenied) -> StoredFile | None:
        """What a listing tells of an object that may not be read: its key is the first with that
        prefix. Raises `denied` where listing is denied, too.
        """
        try:
            with translated_errors("s3:ListBucket", f"s3://{source.bucket}"):
                page = self._requests.s3.list_objects_v2(
                    Bucket=source.bucket, Prefix=source.key, MaxKeys=1, **self._requests.owner
                )
        except UsageError:
            raise denied from None
        for item in page.get("Contents", []):
            if item["Key"] == source.key:
                return _stored_file(source.uri, item["ETag"], item["Size"], item["LastModified"])
        return None

    def age(self, uri: str) -> float | None:
        try:
            head = self._head(S3Uri.parse(uri))
        except ObjectMissing:
            return None
        return (response_time(head) - head["LastModified"]).total_seconds()

    def open(self, uri: str) -> AbstractContextManager[BinaryIO]:
        reader = ObjectReader(self._requests, S3Uri.parse(uri))
        return cast("BinaryIO", io.BufferedReader(reader, READ_BYTES))

    def read(self, uri: str) -> tuple[bytes, str] | None:
        try:
            with ObjectReader(self._requests, S3Uri.parse(uri)) as reader:
                return reader.readall(), reader.etag
        except ObjectMissing:
            return None

    def write(self, uri: str, content: bytes) -> None:
        target = S3Uri.parse(uri)
        with translated_errors("s3:PutObject", uri):
            self._requests.s3.put_object(
                Bucket=target.bucket, Key=target.key, Body=content, **self._requests.write_options
            )

    def put_if(self, uri: str, content: bytes, etag: str | None) -> str:
        return conditional_put(self._requests, S3Uri.parse(uri), content, etag)

    def local_copy(self, uri: str) -> Path:
        return self.local_copies([uri])[0]

    def local_copies(self, uris: Sequence[str], progress: Progress | None = None) -> Sequence[Path]:
        return Cache(cache_folder(), cache_limit()).paths(
            versions(self._requests, uris),
            lambda files: transfer.download(self._requests, files, progress),
        )

    def deliver(self, local: Path, uri: str) -> None:
        transfer.upload(self._requests, [(local, S3Uri.parse(uri))])
        local.unlink()

    def deliver_folder(self, local: Path, uri: str) -> None:
        """Upload the files of a local folder, then delete what else was in the folder `uri`.

        Each file is there whole or not at all; the folder is not: see the class.
        """
        folder = S3Uri.parse(uri)
        files = [
            (path, S3Uri(folder.bucket, f"{folder.folder_prefix}{path.name}"))
            for path in sorted(local.iterdir())
        ]
        transfer.upload(self._requests, files)
        new = {target.key for _, target in files}
        old = [key for key in list_keys(self._requests, folder) if key not in new]
        deletion.delete_keys(self._requests, folder.bucket, old)
        shutil.rmtree(local)

    def copy(self, source: str, target: str) -> str:
        """Have S3 copy an object. Returns its SHA-256 in hexadecimal.

        For one above 5 GB `composite:`, the checksum of its parts' SHA-256 in base64, `-` and the
        number of parts. Raises `InputChanged` if the source changes meanwhile.
        """
        original = S3Uri.parse(source)
        checksum = transfer.copy(
            self._requests, original, S3Uri.parse(target), self._head(original)
        )
        return checksum or self.sha256(target)

    def sha256(self, uri: str) -> str:
        if stored := transfer.stored_sha256(self._head_with_checksum(S3Uri.parse(uri))):
            return stored
        digest = hashlib.sha256()
        with self.open(uri) as reader:
            while chunk := reader.read(READ_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def checksum(self, uri: str) -> StoredChecksum | None:
        try:
            head = self._head_with_checksum(S3Uri.parse(uri))
        except ObjectMissing:
            return None
        return StoredChecksum(head["ContentLength"], transfer.stored_checksum(head))

    def delete(self, uri: str) -> None:
        target = S3Uri.parse(uri)
        with translated_errors("s3:DeleteObject", uri):
            self._requests.s3.delete_object(
                Bucket=target.bucket, Key=target.key, **self._requests.owner
            )

    def delete_folder(self, folder: str) -> None:
        prefix = S3Uri.parse(folder)
        deletion.delete_keys(self._requests, prefix.bucket, list_keys(self._requests, prefix))

    def remove_atomically(self, folder: str) -> None:
        deletion.remove_atomically(self._requests, S3Uri.parse(folder))

    def delete_temporary(self, folder: str, idle_s: float = 0) -> None:
        deletion.delete_temporary(self._requests, S3Uri.parse(folder), idle_s)

    def _head(self, source: S3Uri) -> "HeadObjectOutputTypeDef":
        with translated_errors("s3:GetObject", source.uri):
            return self._requests.s3.head_object(
                Bucket=source.bucket, Key=source.key, **self._requests.owner
            )

    def _head_with_checksum(self, source: S3Uri) -> "HeadObjectOutputTypeDef":
        with translated_errors("s3:GetObject", source.uri):
            return self._requests.s3.head_object(
                Bucket=source.bucket, Key=source.key, ChecksumMode="ENABLED", **self._requests.owner
            )


def _stored_file(uri: str, etag: str, size: int, modified: datetime.datetime) -> StoredFile:
    return StoredFile(uri, size, f"{plain_etag(etag)}-{size}", modified.timestamp())
