"""Copies within S3, which S3 itself makes and tells the SHA-256 of.

Files to and from S3 in parallel parts, by s3transfer, the library behind boto3's transfers.
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

# What S3 copies in one request, and how large the parts of a larger object are, in as far as at
# most MOST_PARTS do: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
ONE_REQUEST_BYTES = 5 << 30
PART_BYTES = 256 << 20
MOST_PARTS = 10_000
THREADS = 8
ACTION = "s3:PutObject"


def stored_sha256(answer: Any) -> str | None:
    """The SHA-256 of a whole object in hexadecimal, if the answer of S3 tells it."""
    told = answer.get("ChecksumSHA256")
    if not told or "-" in told or answer.get("ChecksumType") == "COMPOSITE":
        return None
    return base64.b64decode(told).hex()


def copy(
    requests: Requests, source: S3Uri, target: S3Uri, seen: "HeadObjectOutputTypeDef"
) -> str | None:
    """Copy the version `seen` of an object; its SHA-256 in hexadecimal, if S3 tells it.

    Above `ONE_REQUEST_BYTES` it goes in parts, and S3 knows only the checksum of the parts'
    checksums: `composite:`, that one in base64, `-` and the number of parts.
    """
    condition: dict[str, Any] = {
        "CopySource": {"Bucket": source.bucket, "Key": source.key},
        "CopySourceIfMatch": seen["ETag"],
        **requests.source_owned,
    }
    if seen["ContentLength"] > ONE_REQUEST_BYTES:
        return _in_parts(requests, target, seen["ContentLength"], condition)
    with translated_errors(ACTION, f"{target.uri} from {source.uri}"):
        answer = requests.s3.copy_object(
            Bucket=target.bucket, Key=target.key, **condition, **requests.written
        )
    return stored_sha256(answer["CopyObjectResult"])


def _in_parts(requests: Requests, target: S3Uri, size: int, condition: dict[str, Any]) -> str:
    goal: Any = {"Bucket": target.bucket, "Key": target.key}
    with translated_errors(ACTION, target.uri):
        upload = requests.s3.create_multipart_upload(
            **goal, **requests.written, ChecksumType="COMPOSITE"
        )
        goal = {**goal, **requests.owned, "UploadId": upload["UploadId"]}
        try:
            parts = _parts(requests, goal, size, condition)
            raise_if_cancelled()
            requests.s3.complete_multipart_upload(**goal, MultipartUpload={"Parts": parts})
        except BaseException:
            with suppress(BotoCoreError, ClientError):  # what stopped the copy says more
                requests.s3.abort_multipart_upload(**goal)
            raise
        made = requests.s3.head_object(
            Bucket=target.bucket, Key=target.key, ChecksumMode="ENABLED", **requests.owned
        )
    checksum = made["ChecksumSHA256"].partition("-")[0]
    return f"{COMPOSITE}{checksum}-{len(parts)}"


def _parts(
    requests: Requests, goal: dict[str, Any], size: int, condition: dict[str, Any]
) -> list["CompletedPartTypeDef"]:
    """Copy the ranges of the source, some at once."""
    part_bytes = max(PART_BYTES, -(-size // MOST_PARTS))

    def copied(number: int, start: int) -> "CompletedPartTypeDef":
        raise_if_cancelled()
        end = min(start + part_bytes, size) - 1
        answer = requests.s3.upload_part_copy(
            **goal, **condition, PartNumber=number, CopySourceRange=f"bytes={start}-{end}"
        )["CopyPartResult"]
        part: CompletedPartTypeDef = {"PartNumber": number, "ETag": answer["ETag"]}
        if "ChecksumSHA256" in answer:  # S3 wants to see it again
            part["ChecksumSHA256"] = answer["ChecksumSHA256"]
        return part

    with ThreadPoolExecutor(THREADS) as pool:
        futures = [
            pool.submit(copy_context().run, copied, number, start)
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
    """Send files. Each is checked by S3 against its SHA-256, part by part, then for its size."""
    watched = _Watched(None, 0)
    with TransferManager(requests.s3, UPLOAD) as manager:
        futures = [
            manager.upload(str(local), place.bucket, place.key, requests.written, [watched])
            for local, place in files
        ]
        for (_, place), future in zip(files, futures, strict=True):
            with translated_errors("s3:PutObject", place.uri):
                future.result()
    for local, place in files:
        raise_if_cancelled()
        with translated_errors("s3:GetObject", place.uri):
            made = requests.s3.head_object(Bucket=place.bucket, Key=place.key, **requests.owned)
        if made["ContentLength"] != local.stat().st_size:
            raise ServiceFailed(f"{place.uri} did not arrive whole", "run again")


def download(
    requests: Requests, files: Sequence[tuple[Version, Path]], progress: Progress | None = None
) -> None:
    """Fetch versions of objects into files that are there and empty.

    Sizes and, where they tell it, ETags are compared. `progress` is called with the bytes that came
    and those that are wanted, one call at a time.
    """
    wanted = sum(version.size for version, _ in files)
    watched = _Watched(progress, wanted)
    with ExitStack() as closed:
        sinks = [closed.enter_context(closing(_Sink(version, path))) for version, path in files]
        manager = closed.enter_context(TransferManager(requests.s3, DOWNLOAD))
        futures = [
            manager.download(
                sink.version.place.bucket,
                sink.version.place.key,
                cast("IO[bytes]", sink),
                dict(requests.owned),
                [_Known(sink.version), watched],
            )
            for sink in sinks
        ]
        for sink, future in zip(sinks, futures, strict=True):
            with translated_errors("s3:GetObject", sink.version.place.uri):
                future.result()
            sink.finish()


class _Watched(BaseSubscriber):
    """Tells the progress, and ends a transfer when the work is to stop."""

    def __init__(self, progress: Progress | None, wanted: int) -> None:
        self._progress, self._wanted, self._done = progress, wanted, 0
        self._telling = threading.Lock()
        self._context = contextvars.copy_context()

    def on_progress(self, future: Any, bytes_transferred: int, **_: Any) -> None:  # noqa: ARG002
        self._context.copy().run(raise_if_cancelled)
        if self._progress:
            with self._telling:
                self._done += bytes_transferred
                self._progress(self._done, self._wanted)


class _Known(BaseSubscriber):
    """Saves the question for what is known of an object, and binds the transfer to that version."""

    def __init__(self, version: Version) -> None:
        self._version = version

    def on_queued(self, future: Any, **_: Any) -> None:
        future.meta.provide_transfer_size(self._version.size)
        future.meta.provide_object_etag(quoted_etag(self._version.etag))


class _Sink:
    """Takes the bytes of an object in their order. Opened late: files wait in a queue by thousands.

    s3transfer writes in order to what cannot seek.
    """

    def __init__(self, version: Version, path: Path) -> None:
        self.version = version
        self._path = path
        self._md5 = hashlib.md5(usedforsecurity=False) if version.is_md5 else None
        self._handle: int | None = None
        self._size = 0

    def write(self, content: bytes) -> int:
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
        """Compare what came with what was wanted. Raises `ServiceFailed`."""
        is_wrong = self._md5 and self._md5.hexdigest() != self.version.etag
        if self._size != self.version.size or is_wrong:
            raise ServiceFailed(
                f"{self.version.place.uri} did not arrive as it is", "check the network, run again"
            )

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None
