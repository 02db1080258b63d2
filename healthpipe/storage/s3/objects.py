"""Writes to S3 that happen only if the object is still the one that was seen.

An object of S3 as a stream that goes on after a broken connection.

Which version of an object is there now: asked one by one, or listed where many are wanted.
"""

import io
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from healthpipe.aws.errors import (
    ErrorKind,
    error_kind,
    error_name,
    translate_error,
    translated_errors,
)
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.s3.requests import Requests, S3Uri, pages, pauses, plain_etag, quoted_etag
from healthpipe.storage.uris import WORTH_A_LISTING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

# Metadata of an object: which of our writes made it.
NONCE = "healthpipe-nonce"
# Another conditional write was under way: https://docs.aws.amazon.com/AmazonS3/latest/userguide/
# conditional-writes.html#conditional-error-response
_CONFLICT = {"ConditionalRequestConflict", "409"}


def put_if(requests: Requests, place: S3Uri, content: bytes, etag: str | None) -> str:
    """Write an object if it still has `etag`; None: if there is none. Returns the new ETag.

    An answer may get lost, and the next attempt is then refused because of the first one. So each
    write carries a nonce, and an object that carries it shows that the write was done. Raises
    `PreconditionFailed`.
    """
    nonce = uuid.uuid4().hex
    wanted: dict[str, Any] = {
        **requests.written,
        **({"IfNoneMatch": "*"} if etag is None else {"IfMatch": quoted_etag(etag)}),
        "Metadata": {NONCE: nonce},
    }
    failure: Exception | None = None
    for _ in pauses():
        try:
            answer = requests.s3.put_object(
                Bucket=place.bucket, Key=place.key, Body=content, **wanted
            )
            return plain_etag(answer["ETag"])
        except (ClientError, BotoCoreError) as error:
            failure = error
        if error_name(failure) not in _CONFLICT:
            break
    assert failure is not None
    written = _written_with(requests, place, nonce)
    if written:
        return written
    if error_name(failure) not in _CONFLICT and error_kind(failure) in {
        ErrorKind.CHANGED,
        ErrorKind.NOT_FOUND,
    }:
        raise PreconditionFailed(place.uri) from failure
    raise translate_error(failure, "s3:PutObject", place.uri) from failure


def _written_with(requests: Requests, place: S3Uri, nonce: str) -> str | None:
    """The ETag of the object, if it is what the write with this nonce made."""
    try:
        found = requests.s3.head_object(Bucket=place.bucket, Key=place.key, **requests.owned)
    except (ClientError, BotoCoreError):
        return None  # the failure of the write says more
    return plain_etag(found["ETag"]) if found["Metadata"].get(NONCE) == nonce else None


ACTION = "s3:GetObject"
_BROKEN = (BotoCoreError, HTTPError, ConnectionError, TimeoutError)


class ObjectReader(io.RawIOBase):
    """The bytes of one version of an object, from its first to its last.

    A read that breaks off goes on where it broke, a few times, if the object is still the same.
    `etag` and `size` are that version's. Raises `ObjectMissing`, `InputChanged`, `ServiceFailed`.
    """

    def __init__(self, requests: Requests, place: S3Uri) -> None:
        super().__init__()
        self._requests, self._place = requests, place
        self._position = 0
        self._body: Any = None
        self._etag: str | None = None
        answer = self._asked()
        self._body = answer["Body"]
        self.size = answer["ContentLength"]
        self._etag = answer["ETag"]
        self.etag = plain_etag(answer["ETag"])

    def readable(self) -> bool:
        """True: it is there to be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read some bytes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self.size - self._position)
        failure: Exception | None = None
        for _ in pauses():
            raise_if_cancelled()
            try:
                if self._body is None:
                    self._body = self._asked()["Body"]
                # The last read, of nothing, has botocore check the length and the checksum.
                content: bytes = self._body.read(wanted or 1)
            except _BROKEN as error:
                failure = error
            else:
                if content or not wanted:
                    view[: len(content)] = content
                    self._position += len(content)
                    return len(content)
            self._close_body()
            if not wanted:
                break
        raise self._broken(failure) from failure

    def close(self) -> None:
        """Give the connection back."""
        self._close_body()
        super().close()

    def _asked(self) -> "GetObjectOutputTypeDef":
        begun: dict[str, Any] = {}
        if self._position:
            begun = {"Range": f"bytes={self._position}-"}
        if self._etag:
            begun["IfMatch"] = self._etag
        try:
            return self._requests.s3.get_object(
                Bucket=self._place.bucket, Key=self._place.key, **self._requests.owned, **begun
            )
        except ClientError as error:
            raise translate_error(error, ACTION, self._place.uri) from error
        except BotoCoreError as error:
            if self._etag:
                raise  # to be tried again
            raise translate_error(error, ACTION, self._place.uri) from error

    def _broken(self, failure: Exception | None) -> Exception:
        if isinstance(failure, BotoCoreError):
            return translate_error(failure, ACTION, self._place.uri)
        return ServiceFailed(
            f"{self._place.uri} broke off after {self._position} of {self.size} bytes",
            "check the network, then run again",
        )

    def _close_body(self) -> None:
        if self._body is not None:
            self._body.close()
        self._body = None


QUESTIONS_AT_ONCE = 16
MD5_CHARACTERS = 32


@dataclass(frozen=True)
class Version:
    """One version of an object, written at a second since 1970. `is_md5` tells whether its ETag is
    known to be the MD5 of its content.
    """

    place: S3Uri
    etag: str
    size: int
    modified: int
    is_md5: bool = False

    @classmethod
    def of(cls, place: S3Uri, head: Any) -> "Version":
        """The version that HeadObject answers with.

        The ETag is an MD5 for what was put in one request and not encrypted with a key of KMS:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
        """
        etag = plain_etag(head["ETag"])
        is_md5 = len(etag) == MD5_CHARACTERS and not (
            head.get("ServerSideEncryption", "").startswith("aws:")
            or head.get("SSECustomerAlgorithm")
        )
        modified = int(head["LastModified"].timestamp())
        return cls(place, etag, head["ContentLength"], modified, is_md5)


def versions(requests: Requests, uris: Sequence[str]) -> list[Version]:
    """The versions of objects as they are now, in the order of their URIs.

    Raises `ObjectMissing` for one that is not there.
    """
    folders: dict[str, set[str]] = {}
    for uri in uris:
        folders.setdefault(uri.rpartition("/")[0], set()).add(uri)
    found: dict[str, Version] = {}
    for folder, wanted in folders.items():
        if len(wanted) >= WORTH_A_LISTING:
            found |= _listed(requests, S3Uri.of(folder), wanted)
    rest = [uri for uri in dict.fromkeys(uris) if uri not in found]
    found |= dict(zip(rest, _asked(requests, rest), strict=True))
    return [found[uri] for uri in uris]


def _listed(requests: Requests, folder: S3Uri, wanted: set[str]) -> Iterator[tuple[str, Version]]:
    """Those that a listing shows; it does not tell how an object is encrypted."""
    last = max(S3Uri.of(uri).key.encode() for uri in wanted)
    for page in pages(requests, folder):
        for each in page.get("Contents", []):
            place = S3Uri(folder.bucket, each["Key"])
            if place.uri in wanted:
                modified = int(each["LastModified"].timestamp())
                yield place.uri, Version(place, plain_etag(each["ETag"]), each["Size"], modified)
            if place.key.encode() >= last:  # S3 lists by the bytes of the keys
                return


def _asked(requests: Requests, uris: Sequence[str]) -> list[Version]:
    def version(uri: str) -> Version:
        raise_if_cancelled()
        place = S3Uri.of(uri)
        with translated_errors("s3:GetObject", uri):
            head = requests.s3.head_object(Bucket=place.bucket, Key=place.key, **requests.owned)
        return Version.of(place, head)

    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as pool:
        futures = [pool.submit(copy_context().run, version, uri) for uri in uris]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
