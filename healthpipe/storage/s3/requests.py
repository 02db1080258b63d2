"""Objects of S3 by their URIs, and what each request about them carries.

What S3 lists below the beginning of a key, page by page.
"""

import datetime
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from healthpipe.aws.errors import translated_errors
from healthpipe.aws.session import AwsAccess, Patience, client
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

SCHEME = "s3://"
# S3 begins to answer within a second; a dead connection must not hold up an interrupt for long.
PATIENCE = Patience(connect_seconds=5, read_seconds=20)
# Of requests that are ours to repeat, because botocore does not.
ATTEMPTS = 6
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
_PIECE_S = 0.1


@dataclass(frozen=True)
class S3Uri:
    """A bucket and a key, or the beginning of keys. A URI holds the key as it is, not encoded."""

    bucket: str
    key: str

    @classmethod
    def of(cls, uri: str) -> "S3Uri":
        """The place of an s3:// URI. Raises `UsageError`."""
        bucket, _, key = uri.removeprefix(SCHEME).partition("/")
        if not uri.startswith(SCHEME) or not bucket:
            raise UsageError(f"{uri} names no bucket", "give s3://BUCKET/KEY")
        return cls(bucket, key)

    @property
    def uri(self) -> str:
        """The place as a URI."""
        return f"{SCHEME}{self.bucket}/{self.key}"

    @property
    def inside(self) -> str:
        """How the keys of all objects begin that are in the folder of this name."""
        return f"{self.key.rstrip('/')}/" if self.key else ""


@dataclass(frozen=True)
class Requests:
    """How requests are sent: with which client, and with what in each of them."""

    access: AwsAccess

    @property
    def s3(self) -> "S3Client":
        """The client. Raises `UsageError`."""
        return client("s3", self.access, PATIENCE)

    @property
    def owned(self) -> dict[str, Any]:
        """The account that has to own the bucket, where one was named."""
        owner = self.access.bucket_owner
        return {"ExpectedBucketOwner": owner} if owner else {}

    @property
    def source_owned(self) -> dict[str, Any]:
        """The same for the source of a copy."""
        owner = self.access.bucket_owner
        return {"ExpectedSourceBucketOwner": owner} if owner else {}

    @property
    def written(self) -> dict[str, Any]:
        """For what makes an object: its owner, its encryption, and the checksum that S3 checks."""
        key = self.access.kms_key
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        return {**self.owned, **encryption, "ChecksumAlgorithm": "SHA256"}


def plain_etag(etag: str) -> str:
    """An ETag without its quotes, as we keep it."""
    return etag.strip('"')


def quoted_etag(etag: str) -> str:
    """An ETag as a condition of a request names it."""
    return f'"{etag}"'


def pauses() -> Iterator[None]:
    """One item for each attempt, with a growing, random pause before all but the first."""
    yield
    for number in range(ATTEMPTS - 1):
        end = time.monotonic() + random.uniform(0, min(FIRST_PAUSE_S * 2**number, LONGEST_PAUSE_S))
        while (left := end - time.monotonic()) > 0:
            raise_if_cancelled()
            time.sleep(min(left, _PIECE_S))
        raise_if_cancelled()
        yield


def pages(
    requests: Requests, folder: S3Uri, delimiter: str = ""
) -> Iterator["ListObjectsV2OutputTypeDef"]:
    """The answers to a listing of a folder, as many as it takes; with a delimiter, its folders."""
    paginator = requests.s3.get_paginator("list_objects_v2")
    wanted: dict[str, Any] = {"Delimiter": delimiter} if delimiter else {}
    with translated_errors("s3:ListBucket", f"s3://{folder.bucket}"):
        for page in paginator.paginate(
            Bucket=folder.bucket, Prefix=folder.inside, **requests.owned, **wanted
        ):
            raise_if_cancelled()
            yield page


def keys(requests: Requests, folder: S3Uri) -> Iterator[str]:
    """All keys below a folder, in the order of their bytes."""
    for page in pages(requests, folder):
        for found in page.get("Contents", []):
            yield found["Key"]


def answered_at(answer: Any) -> datetime.datetime:
    """When S3 gave an answer, by its own clock, to the second."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
