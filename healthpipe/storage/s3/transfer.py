"""Files to and from S3 in parallel parts, by s3transfer, the library behind boto3's transfers."""

import contextvars
import hashlib
import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Any, cast

from s3transfer.manager import TransferConfig, TransferManager
from s3transfer.subscribers import BaseSubscriber

from healthpipe.aws.errors import failures_told
from healthpipe.cancellation import raise_if_stopping
from healthpipe.errors import ServiceFailed
from healthpipe.storage.base import Progress
from healthpipe.storage.s3.requests import Place, Requests, quoted_etag
from healthpipe.storage.s3_versions import Version

# Below the threshold an upload is one request, of which S3 keeps the SHA-256 of the whole.
UPLOAD = TransferConfig(multipart_threshold=64 << 20, multipart_chunksize=16 << 20)
# Parts that wait for their turn to be written are held in memory, at most ten.
DOWNLOAD = TransferConfig(multipart_threshold=32 << 20, multipart_chunksize=16 << 20)


def upload(requests: Requests, files: Sequence[tuple[Path, Place]]) -> None:
    """Send files. Each is checked by S3 against its SHA-256, part by part, then for its size."""
    watched = _Watched(None, 0)
    with TransferManager(requests.s3, UPLOAD) as manager:
        futures = [
            manager.upload(str(local), place.bucket, place.key, requests.written, [watched])
            for local, place in files
        ]
        for (_, place), future in zip(files, futures, strict=True):
            with failures_told("s3:PutObject", place.uri):
                future.result()
    for local, place in files:
        raise_if_stopping()
        with failures_told("s3:GetObject", place.uri):
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
            with failures_told("s3:GetObject", sink.version.place.uri):
                future.result()
            sink.finish()


class _Watched(BaseSubscriber):
    """Tells the progress, and ends a transfer when the work is to stop."""

    def __init__(self, progress: Progress | None, wanted: int) -> None:
        self._progress, self._wanted, self._done = progress, wanted, 0
        self._telling = threading.Lock()
        self._context = contextvars.copy_context()

    def on_progress(self, future: Any, bytes_transferred: int, **_: Any) -> None:  # noqa: ARG002
        self._context.copy().run(raise_if_stopping)
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
