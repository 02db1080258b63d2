"""Transfers of S3: copies within S3, and uploads and downloads in parallel parts by s3transfer.

s3transfer is the library behind boto3's transfers. Its own copy (`boto3.copy`) does not take
`ExpectedSourceBucketOwner`, so copies are made here.
"""

import base64
import contextvars
import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from contextvars import copy_context
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.manager import TransferConfig, TransferManager
from s3transfer.subscribers import BaseSubscriber

from healthpipe.aws.errors import translated_errors
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import ServiceFailed
from healthpipe.storage.base import COMPOSITE, Progress
from healthpipe.storage.s3.objects import Version
from healthpipe.storage.s3.requests import Requests, S3Uri, quoted_etag

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, HeadObjectOutputTypeDef

# What S3 copies in one request, and the size of the parts of a larger object; larger parts where
# MAX_PARTS would not do: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
ONE_REQUEST_BYTES = 5 << 30
PART_BYTES = 256 << 20
MAX_PARTS = 10_000
THREADS = 8
ACTION = "s3:PutObject"


def stored_sha256(response: Any) -> str | None:
    """The SHA-256 of a whole object in hexadecimal, if the response of S3 has it."""
    checksum = response.get("ChecksumSHA256")
    if not checksum or "-" in checksum or response.get("ChecksumType") == "COMPOSITE":
        return None
    return base64.b64decode(checksum).hex()


def stored_checksum(response: Any) -> str | None:
    """The SHA-256 that a response of S3 has of an object, or `composite:` and that of its parts."""
    if whole := stored_sha256(response):
        return whole
    checksum = response.get("ChecksumSHA256")
    return f"{COMPOSITE}{checksum}" if checksum else None


def copy(
    requests: Requests, source: S3Uri, target: S3Uri, head: "HeadObjectOutputTypeDef"
) -> str | None:
    """Copy the version of an object that `head` describes, within S3.

    Returns its SHA-256 in hexadecimal, None where S3 does not tell it. An object above
    `ONE_REQUEST_BYTES` is copied in parts, and S3 knows only the checksum of the parts'
    checksums: then `composite:`, that one in base64, `-` and the number of parts.
    """
    source_args: dict[str, Any] = {
        "CopySource": {"Bucket": source.bucket, "Key": source.key},
        "CopySourceIfMatch": head["ETag"],
        **requests.source_owner,
    }
    if head["ContentLength"] > ONE_REQUEST_BYTES:
        return _copy_in_parts(requests, target, head["ContentLength"], source_args)
    with translated_errors(ACTION, f"{target.uri} from {source.uri}"):
        response = requests.s3.copy_object(
            Bucket=target.bucket, Key=target.key, **source_args, **requests.write_options
        )
    return stored_sha256(response["CopyObjectResult"])


def _copy_in_parts(
    requests: Requests, target: S3Uri, size: int, source_args: dict[str, Any]
) -> str:
    """Copy an object of `size` bytes by a multipart upload; returns its composite checksum."""
    upload_args: Any = {"Bucket": target.bucket, "Key": target.key}
    with translated_errors(ACTION, target.uri):
        upload = requests.s3.create_multipart_upload(
            **upload_args, **requests.write_options, ChecksumType="COMPOSITE"
        )
        upload_args = {**upload_args, **requests.owner, "UploadId": upload["UploadId"]}
        try:
            parts = _copy_parts(requests, upload_args, size, source_args)
            raise_if_cancelled()
            requests.s3.complete_multipart_upload(**upload_args, MultipartUpload={"Parts": parts})
        except BaseException:
            with suppress(BotoCoreError, ClientError):  # what stopped the copy says more
                requests.s3.abort_multipart_upload(**upload_args)
            raise
        head = requests.s3.head_object(
            Bucket=target.bucket, Key=target.key, ChecksumMode="ENABLED", **requests.owner
        )
    checksum = head["ChecksumSHA256"].partition("-")[0]
    return f"{COMPOSITE}{checksum}-{len(parts)}"


def _copy_parts(
    requests: Requests, upload_args: dict[str, Any], size: int, source_args: dict[str, Any]
) -> list["CompletedPartTypeDef"]:
    """Copy the parts of the source, `THREADS` at a time; returns them in order."""
    part_bytes = max(PART_BYTES, -(-size // MAX_PARTS))

    def copy_part(number: int, start: int) -> "CompletedPartTypeDef":
        raise_if_cancelled()
        end = min(start + part_bytes, size) - 1
        result = requests.s3.upload_part_copy(
            **upload_args, **source_args, PartNumber=number, CopySourceRange=f"bytes={start}-{end}"
        )["CopyPartResult"]
        part: CompletedPartTypeDef = {"PartNumber": number, "ETag": result["ETag"]}
        if "ChecksumSHA256" in result:  # CompleteMultipartUpload has to repeat it
            part["ChecksumSHA256"] = result["ChecksumSHA256"]
        return part

    with ThreadPoolExecutor(THREADS) as pool:
        futures = [
            pool.submit(copy_context().run, copy_part, number, start)
            for number, start in enumerate(range(0, size, part_bytes), start=1)
        ]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


# Below the threshold an upload is one request, of which S3 keeps the SHA-256 of the whole.
UPLOAD = TransferConfig(multipart_threshold=64 << 20, multipart_chunksize=16 << 20)
# Parts that wait for their turn to be written are held in memory, at most ten.
DOWNLOAD = TransferConfig(multipart_threshold=32 << 20, multipart_chunksize=16 << 20)


def upload(requests: Requests, files: Sequence[tuple[Path, S3Uri]]) -> None:
    """Upload files. S3 checks the SHA-256 of each part; then each object's size is compared."""
    cancellable = _ProgressSubscriber(None, 0)
    with TransferManager(requests.s3, UPLOAD) as manager:
        futures = [
            manager.upload(
                str(local), target.bucket, target.key, requests.write_options, [cancellable]
            )
            for local, target in files
        ]
        for (_, target), future in zip(files, futures, strict=True):
            with translated_errors("s3:PutObject", target.uri):
                future.result()
    for local, target in files:
        raise_if_cancelled()
        with translated_errors("s3:GetObject", target.uri):
            head = requests.s3.head_object(Bucket=target.bucket, Key=target.key, **requests.owner)
        if head["ContentLength"] != local.stat().st_size:
            raise ServiceFailed(f"{target.uri} did not arrive whole", "run again")


def download(
    requests: Requests, files: Sequence[tuple[Version, Path]], progress: Progress | None = None
) -> None:
    """Download versions of objects into empty files that exist.

    Sizes and, where they are MD5s, ETags are compared. `progress` is called with the bytes that
    came and those of all files, one call at a time. Raises `ServiceFailed`, `InputChanged`.
    """
    total = sum(version.size for version, _ in files)
    subscriber = _ProgressSubscriber(progress, total)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(closing(_OrderedWriter(version, path))) for version, path in files
        ]
        manager = stack.enter_context(TransferManager(requests.s3, DOWNLOAD))
        futures = [
            manager.download(
                writer.version.source.bucket,
                writer.version.source.key,
                cast("IO[bytes]", writer),
                dict(requests.owner),
                [_KnownVersion(writer.version), subscriber],
            )
            for writer in writers
        ]
        for writer, future in zip(writers, futures, strict=True):
            with translated_errors("s3:GetObject", writer.version.source.uri):
                future.result()
            writer.finish()


class _ProgressSubscriber(BaseSubscriber):
    """Reports the progress of transfers, and ends them when the work is cancelled."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._reporting = threading.Lock()
        self._context = contextvars.copy_context()

    def on_progress(self, future: Any, bytes_transferred: int, **_: Any) -> None:  # noqa: ARG002
        """Called by s3transfer in one of its threads for each piece of a file."""
        self._context.copy().run(raise_if_cancelled)
        if self._progress:
            with self._reporting:
                self._done += bytes_transferred
                self._progress(self._done, self._total)


class _KnownVersion(BaseSubscriber):
    """Binds a download to a version of an object, and saves it a request for size and ETag."""

    def __init__(self, version: Version) -> None:
        self._version = version

    def on_queued(self, future: Any, **_: Any) -> None:
        """Called by s3transfer before the download begins."""
        future.meta.provide_transfer_size(self._version.size)
        future.meta.provide_object_etag(quoted_etag(self._version.etag))


class _OrderedWriter:
    """Writes the bytes of an object in their order, as s3transfer does to what cannot seek.

    The file is opened at the first byte: thousands of files may wait in the queue.
    """

    def __init__(self, version: Version, path: Path) -> None:
        self.version = version
        self._path = path
        self._md5 = hashlib.md5(usedforsecurity=False) if version.is_md5 else None
        self._handle: int | None = None
        self._size = 0

    def write(self, content: bytes) -> int:
        """Write the next bytes; all of them."""
        if self._handle is None:
            self._handle = os.open(self._path, os.O_WRONLY)
        view = memoryview(content)
        while view:
            view = view[os.write(self._handle, view) :]
        if self._md5:
            self._md5.update(content)
        self._size += len(content)
        if self._size == self.version.size:
            self.close()
        return len(content)

    def finish(self) -> None:
        """Compare size and MD5 with those of the version. Raises `ServiceFailed`."""
        is_wrong = self._md5 and self._md5.hexdigest() != self.version.etag
        if self._size != self.version.size or is_wrong:
            raise ServiceFailed(
                f"{self.version.source.uri} did not arrive as it is", "check the network, run again"
            )

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None
