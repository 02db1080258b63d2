"""Objects of S3: streaming reads that resume after a broken connection, and present versions."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from healthpipe.aws.errors import translate_error, translated_errors
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import ServiceFailed
from healthpipe.retry import retry
from healthpipe.storage import MIN_FILES_TO_LIST
from healthpipe.storage.s3.requests import (
    ATTEMPTS,
    Requests,
    S3Uri,
    list_pages,
    plain_etag,
    request_attempts,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

_BROKEN_READS = (BotoCoreError, HTTPError, ConnectionError, TimeoutError)


class ObjectReader(io.RawIOBase):
    """The bytes of one version of an object, as a stream.

    A read that breaks off is resumed where it broke, a few times, if the object is still the same.
    `etag` and `size` (bytes) are that version's. Raises `ObjectMissing`, `InputChanged`,
    `ServiceFailed`.
    """

    def __init__(self, requests: Requests, source: S3Uri) -> None:
        super().__init__()
        self._requests, self._source = requests, source
        self._position = 0
        self._body: Any = None
        self._quoted_etag: str | None = None
        response = self._get_object()
        self._body = response["Body"]
        self.size = response["ContentLength"]
        self._quoted_etag = response["ETag"]
        self.etag = plain_etag(response["ETag"])

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read into a buffer; returns how many bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self.size - self._position)
        # The last read, of nothing, is not retried: all bytes have been returned.
        count = ATTEMPTS if wanted else 1
        try:
            content = retry(lambda: self._read(wanted), _is_broken_read, request_attempts(count))
        except BotoCoreError as error:
            raise translate_error(error, "s3:GetObject", self._source.uri) from error
        except _BROKEN_READS as error:
            raise ServiceFailed(
                f"{self._source.uri} broke off after {self._position} of {self.size} bytes",
                "check the network, then run again",
            ) from error
        view[: len(content)] = content
        self._position += len(content)
        return len(content)

    def close(self) -> None:
        """Give the connection back."""
        self._close_body()
        super().close()

    def _read(self, wanted: int) -> bytes:
        """At most `wanted` bytes from the present position, from a new response if need be."""
        raise_if_cancelled()
        try:
            if self._body is None:
                self._body = self._get_object()["Body"]
            # The last read, of nothing, has botocore check the length and the checksum.
            content: bytes = self._body.read(wanted or 1)
            if wanted and not content:
                raise ConnectionError("the response ended early")
        except _BROKEN_READS:
            self._close_body()
            raise
        return content

    def _get_object(self) -> "GetObjectOutputTypeDef":
        """Request the object from the present position on, if it is still the same version."""
        options: dict[str, Any] = {}
        if self._position:
            options = {"Range": f"bytes={self._position}-"}
        if self._quoted_etag:
            options["IfMatch"] = self._quoted_etag
        try:
            return self._requests.s3.get_object(
                Bucket=self._source.bucket,
                Key=self._source.key,
                **self._requests.owner,
                **options,
            )
        except ClientError as error:
            raise translate_error(error, "s3:GetObject", self._source.uri) from error
        except BotoCoreError as error:
            if self._quoted_etag:
                raise  # to be retried
            raise translate_error(error, "s3:GetObject", self._source.uri) from error

    def _close_body(self) -> None:
        if self._body is not None:
            self._body.close()
        self._body = None


def _is_broken_read(error: Exception) -> bool:
    return isinstance(error, _BROKEN_READS)


HEAD_THREADS = 16
MD5_CHARACTERS = 32


@dataclass(frozen=True)
class Version:
    """One version of an object: its size in bytes, and when it was written, in seconds since 1970.

    `is_md5` tells whether its ETag is known to be the MD5 of its content.
    """

    source: S3Uri
    etag: str
    size: int
    modified: int
    is_md5: bool = False

    @classmethod
    def from_head(cls, source: S3Uri, head: Any) -> "Version":
        """The version that a response of HeadObject describes.

        The ETag is an MD5 for what was put in one request and not encrypted with a key of KMS:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
        """
        etag = plain_etag(head["ETag"])
        is_md5 = len(etag) == MD5_CHARACTERS and not (
            head.get("ServerSideEncryption", "").startswith("aws:")
            or head.get("SSECustomerAlgorithm")
        )
        modified = int(head["LastModified"].timestamp())
        return cls(source, etag, head["ContentLength"], modified, is_md5)


def versions(requests: Requests, uris: Sequence[str]) -> list[Version]:
    """The present versions of objects, in the order of their URIs.

    A folder with at least `MIN_FILES_TO_LIST` of them is listed. Raises `ObjectMissing` for one
    that is not there.
    """
    folders: dict[str, set[str]] = {}
    for uri in uris:
        folders.setdefault(uri.rpartition("/")[0], set()).add(uri)
    found: dict[str, Version] = {}
    for folder, wanted in folders.items():
        if len(wanted) >= MIN_FILES_TO_LIST:
            found |= _versions_by_listing(requests, S3Uri.parse(folder), wanted)
    rest = [uri for uri in dict.fromkeys(uris) if uri not in found]
    found |= dict(zip(rest, _versions_by_head(requests, rest), strict=True))
    return [found[uri] for uri in uris]


def _versions_by_listing(
    requests: Requests, folder: S3Uri, wanted: set[str]
) -> Iterator[tuple[str, Version]]:
    """Versions with their URIs; a listing does not tell how an object is encrypted."""
    last = max(S3Uri.parse(uri).key.encode() for uri in wanted)
    for page in list_pages(requests, folder):
        for item in page.get("Contents", []):
            source = S3Uri(folder.bucket, item["Key"])
            if source.uri in wanted:
                modified = int(item["LastModified"].timestamp())
                yield source.uri, Version(source, plain_etag(item["ETag"]), item["Size"], modified)
            if source.key.encode() >= last:  # S3 lists by the bytes of the keys
                return


def _versions_by_head(requests: Requests, uris: Sequence[str]) -> list[Version]:
    def version(uri: str) -> Version:
        raise_if_cancelled()
        source = S3Uri.parse(uri)
        with translated_errors("s3:GetObject", uri):
            head = requests.s3.head_object(Bucket=source.bucket, Key=source.key, **requests.owner)
        return Version.from_head(source, head)

    with ThreadPoolExecutor(HEAD_THREADS) as pool:
        futures = [pool.submit(copy_context().run, version, uri) for uri in uris]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
