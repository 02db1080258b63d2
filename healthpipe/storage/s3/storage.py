"""Objects of S3, or of a service that speaks as it does."""

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
from healthpipe.errors import ObjectMissing
from healthpipe.storage.base import Progress, Storage, StoredFile
from healthpipe.storage.s3 import deletion, objects, transfer
from healthpipe.storage.s3.cache import Cache, cache_folder, cache_limit
from healthpipe.storage.s3.objects import ObjectReader, versions
from healthpipe.storage.s3.requests import Requests, S3Uri, answered_at, keys, pages, plain_etag

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

READ_BYTES = 1 << 20


class S3Storage(Storage):
    """Atomic by object: one is there whole or not at all, and each request sees the last write.

    A folder is no more than the beginning of keys. So a folder that is delivered or removed can be
    seen half done: whoever publishes one refers to its files from a document written after it.
    Every method raises `UsageError` and `ServiceFailed`: see `healthpipe.aws.errors`.
    """

    def __init__(self, access: AwsAccess | None = None) -> None:
        self._requests = Requests(access or AwsAccess())

    def list(self, folder: str) -> Iterator[StoredFile]:
        place = S3Uri.of(folder)
        for page in pages(self._requests, place):
            for found in page.get("Contents", []):
                if found["Key"].endswith("/"):  # what consoles make for a folder
                    continue
                uri = S3Uri(place.bucket, found["Key"]).uri
                yield _stored(uri, found["ETag"], found["Size"], found["LastModified"])

    def folders(self, folder: str) -> Iterator[str]:
        place = S3Uri.of(folder)
        begins = [
            found["Prefix"][len(place.inside) : -1]
            for page in pages(self._requests, place, "/")
            for found in page.get("CommonPrefixes", [])
        ]
        for name in sorted(begins):
            yield S3Uri(place.bucket, f"{place.inside}{name}").uri

    def stat(self, uri: str) -> StoredFile | None:
        place = S3Uri.of(uri)
        if not place.key:
            return None
        try:
            found = self._head(place)
        except ObjectMissing:
            return None
        return _stored(uri, found["ETag"], found["ContentLength"], found["LastModified"])

    def age(self, uri: str) -> float | None:
        try:
            found = self._head(S3Uri.of(uri))
        except ObjectMissing:
            return None
        return (answered_at(found) - found["LastModified"]).total_seconds()

    def open(self, uri: str) -> AbstractContextManager[BinaryIO]:
        reader = ObjectReader(self._requests, S3Uri.of(uri))
        return cast("BinaryIO", io.BufferedReader(reader, READ_BYTES))

    def read(self, uri: str) -> tuple[bytes, str] | None:
        try:
            with ObjectReader(self._requests, S3Uri.of(uri)) as reader:
                return reader.readall(), reader.etag
        except ObjectMissing:
            return None

    def write(self, uri: str, content: bytes) -> None:
        place = S3Uri.of(uri)
        with translated_errors("s3:PutObject", uri):
            self._requests.s3.put_object(
                Bucket=place.bucket, Key=place.key, Body=content, **self._requests.written
            )

    def put_if(self, uri: str, content: bytes, etag: str | None) -> str:
        return objects.put_if(self._requests, S3Uri.of(uri), content, etag)

    def local_copy(self, uri: str) -> Path:
        return self.local_copies([uri])[0]

    def local_copies(self, uris: Sequence[str], progress: Progress | None = None) -> Sequence[Path]:
        return Cache(cache_folder(), cache_limit()).paths(
            versions(self._requests, uris),
            lambda files: transfer.download(self._requests, files, progress),
        )

    def deliver(self, local: Path, uri: str) -> None:
        transfer.upload(self._requests, [(local, S3Uri.of(uri))])
        local.unlink()

    def deliver_folder(self, local: Path, uri: str) -> None:
        """Put the files of a folder in place, then remove what else was in it.

        Each file is there whole or not at all; the folder is not: see the class.
        """
        folder = S3Uri.of(uri)
        files = [
            (path, S3Uri(folder.bucket, f"{folder.inside}{path.name}"))
            for path in sorted(local.iterdir())
        ]
        transfer.upload(self._requests, files)
        new = {place.key for _, place in files}
        old = [key for key in keys(self._requests, folder) if key not in new]
        deletion.delete_keys(self._requests, folder.bucket, old)
        shutil.rmtree(local)

    def copy(self, source: str, target: str) -> str:
        """Copy a file on the side of S3. Returns its SHA-256 in hexadecimal.

        For one above 5 GB `composite:`, the checksum of its parts' SHA-256 in base64, `-` and the
        number of parts. Raises `InputChanged` if the source changes meanwhile.
        """
        place = S3Uri.of(source)
        told = transfer.copy(self._requests, place, S3Uri.of(target), self._head(place))
        return told or self.sha256(target)

    def sha256(self, uri: str) -> str:
        place = S3Uri.of(uri)
        with translated_errors("s3:GetObject", uri):
            found = self._requests.s3.head_object(
                Bucket=place.bucket, Key=place.key, ChecksumMode="ENABLED", **self._requests.owned
            )
        if stored := transfer.stored_sha256(found):
            return stored
        digest = hashlib.sha256()
        with self.open(uri) as reader:
            while chunk := reader.read(READ_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def delete(self, uri: str) -> None:
        place = S3Uri.of(uri)
        with translated_errors("s3:DeleteObject", uri):
            self._requests.s3.delete_object(
                Bucket=place.bucket, Key=place.key, **self._requests.owned
            )

    def delete_folder(self, folder: str) -> None:
        place = S3Uri.of(folder)
        deletion.delete_keys(self._requests, place.bucket, keys(self._requests, place))

    def withdraw(self, folder: str) -> None:
        deletion.remove_atomically(self._requests, S3Uri.of(folder))

    def delete_temporary(self, folder: str, idle_s: float = 0) -> None:
        deletion.delete_temporary(self._requests, S3Uri.of(folder), idle_s)

    def _head(self, place: S3Uri) -> "HeadObjectOutputTypeDef":
        with translated_errors("s3:GetObject", place.uri):
            return self._requests.s3.head_object(
                Bucket=place.bucket, Key=place.key, **self._requests.owned
            )


def _stored(uri: str, etag: str, size: int, modified: datetime.datetime) -> StoredFile:
    return StoredFile(uri, size, f"{plain_etag(etag)}-{size}", modified.timestamp())
