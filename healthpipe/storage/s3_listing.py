"""What S3 lists below the beginning of a key, page by page."""

import datetime
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from healthpipe.aws.errors import failures_told
from healthpipe.cancellation import raise_if_stopping
from healthpipe.storage.s3.requests import Place, Requests

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef


def pages(
    requests: Requests, folder: Place, delimiter: str = ""
) -> Iterator["ListObjectsV2OutputTypeDef"]:
    """The answers to a listing of a folder, as many as it takes; with a delimiter, its folders."""
    paginator = requests.s3.get_paginator("list_objects_v2")
    wanted: dict[str, Any] = {"Delimiter": delimiter} if delimiter else {}
    with failures_told("s3:ListBucket", f"s3://{folder.bucket}"):
        for page in paginator.paginate(
            Bucket=folder.bucket, Prefix=folder.inside, **requests.owned, **wanted
        ):
            raise_if_stopping()
            yield page


def keys(requests: Requests, folder: Place) -> Iterator[str]:
    """All keys below a folder, in the order of their bytes."""
    for page in pages(requests, folder):
        for found in page.get("Contents", []):
            yield found["Key"]


def answered_at(answer: Any) -> datetime.datetime:
    """When S3 gave an answer, by its own clock, to the second."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
