"""Requests to S3: the parameters of each, retries, listings page by page, conditional writes."""

import datetime
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from healthpipe.aws.errors import (
    ErrorKind,
    error_kind,
    error_name,
    translate_error,
    translated_errors,
)
from healthpipe.aws.session import AwsAccess, Timeouts, client
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import UsageError
from healthpipe.retry import Backoff, attempts, retry
from healthpipe.storage import S3
from healthpipe.storage.base import PreconditionFailed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

# S3 begins to answer within a second; a dead connection must not hold up an interrupt for long.
TIMEOUTS = Timeouts(connect_s=5, read_s=20)
# Of the requests that botocore does not retry: conditional writes, and reads that break off.
ATTEMPTS = 6
BACKOFF = Backoff(first_s=0.1, max_s=5.0, jitter=(0.0, 1.0))
# The metadata key of the nonce of the conditional write that made an object.
NONCE = "healthpipe-nonce"
# Another conditional write was under way: https://docs.aws.amazon.com/AmazonS3/latest/userguide/
# conditional-writes.html#conditional-error-response
_CONFLICT_CODES = {"ConditionalRequestConflict", "409"}


@dataclass(frozen=True)
class S3Uri:
    """A bucket and a key, or a prefix of keys. The URI holds the key as it is, not encoded."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "S3Uri":
        """Parse an s3:// URI. Raises `UsageError`."""
        bucket, _, key = uri.removeprefix(S3).partition("/")
        if not uri.startswith(S3) or not bucket:
            raise UsageError(f"{uri} names no bucket", "give s3://BUCKET/KEY")
        return cls(bucket, key)

    @property
    def uri(self) -> str:
        """As text."""
        return f"{S3}{self.bucket}/{self.key}"

    @property
    def folder_prefix(self) -> str:
        """The prefix of the keys of all objects in the folder of this name."""
        return f"{self.key.rstrip('/')}/" if self.key else ""


@dataclass(frozen=True)
class Requests:
    """The S3 client of `access`, and the parameters that its requests carry."""

    access: AwsAccess

    @property
    def s3(self) -> "S3Client":
        """The client. Raises `UsageError`."""
        return client("s3", self.access, TIMEOUTS)

    @property
    def owner(self) -> dict[str, Any]:
        """The parameter with the account that has to own the bucket, where one is set."""
        owner = self.access.bucket_owner
        return {"ExpectedBucketOwner": owner} if owner else {}

    @property
    def source_owner(self) -> dict[str, Any]:
        """The same parameter for the source of a copy."""
        owner = self.access.bucket_owner
        return {"ExpectedSourceBucketOwner": owner} if owner else {}

    @property
    def write_options(self) -> dict[str, Any]:
        """The parameters of requests that create an object: owner, encryption and checksum."""
        key = self.access.kms_key
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        return {**self.owner, **encryption, "ChecksumAlgorithm": "SHA256"}


def request_attempts(count: int = ATTEMPTS) -> Iterator[int]:
    """The numbers of attempts at a request, with growing pauses between them."""
    return attempts(count, BACKOFF)


def plain_etag(etag: str) -> str:
    """An ETag without its quotes, as healthpipe keeps it."""
    return etag.strip('"')


def quoted_etag(etag: str) -> str:
    """An ETag with quotes, as the conditions of requests take it."""
    return f'"{etag}"'


def list_pages(
    requests: Requests, folder: S3Uri, delimiter: str = ""
) -> Iterator["ListObjectsV2OutputTypeDef"]:
    """The pages of ListObjectsV2 for a folder; with the delimiter "/" those of its folders."""
    paginator = requests.s3.get_paginator("list_objects_v2")
    options: dict[str, Any] = {"Delimiter": delimiter} if delimiter else {}
    with translated_errors("s3:ListBucket", f"s3://{folder.bucket}"):
        for page in paginator.paginate(
            Bucket=folder.bucket, Prefix=folder.folder_prefix, **requests.owner, **options
        ):
            raise_if_cancelled()
            yield page


def list_keys(requests: Requests, folder: S3Uri) -> Iterator[str]:
    """All keys below a folder, in the order of their bytes."""
    for page in list_pages(requests, folder):
        for item in page.get("Contents", []):
            yield item["Key"]


def response_time(response: Any) -> datetime.datetime:
    """When S3 sent a response, by its own clock, to the second (the HTTP header `Date`)."""
    return parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])


def conditional_put(requests: Requests, target: S3Uri, content: bytes, etag: str | None) -> str:
    """Write an object if it still has `etag`; None: if there is none. Returns the new ETag.

    An answer may get lost, and the next attempt is then refused because of the first one. So each
    write carries a nonce, and an object that carries it shows that the write was done. Raises
    `PreconditionFailed`.
    """
    nonce = uuid.uuid4().hex
    options: dict[str, Any] = {
        **requests.write_options,
        **({"IfNoneMatch": "*"} if etag is None else {"IfMatch": quoted_etag(etag)}),
        "Metadata": {NONCE: nonce},
    }

    def put() -> str:
        response = requests.s3.put_object(
            Bucket=target.bucket, Key=target.key, Body=content, **options
        )
        return plain_etag(response["ETag"])

    try:
        return retry(put, _is_conflict, request_attempts())
    except (ClientError, BotoCoreError) as error:
        written = _etag_if_written(requests, target, nonce)
        if written:
            return written
        is_refused = error_kind(error) in {ErrorKind.CHANGED, ErrorKind.NOT_FOUND}
        if is_refused and not _is_conflict(error):
            raise PreconditionFailed(target.uri) from error
        raise translate_error(error, "s3:PutObject", target.uri) from error


def _is_conflict(error: Exception) -> bool:
    """Whether a conditional write was refused because another was under way."""
    return isinstance(error, ClientError) and error_name(error) in _CONFLICT_CODES


def _etag_if_written(requests: Requests, target: S3Uri, nonce: str) -> str | None:
    """The ETag of the object, if the write with this nonce made it."""
    try:
        head = requests.s3.head_object(Bucket=target.bucket, Key=target.key, **requests.owner)
    except (ClientError, BotoCoreError):
        return None  # the failure of the write says more
    return plain_etag(head["ETag"]) if head["Metadata"].get(NONCE) == nonce else None
