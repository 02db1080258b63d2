"""Removing objects of S3, many at once, and uploads that nobody will end."""

import datetime
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from healthpipe.aws.errors import translate_error, translated_errors
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import ObjectMissing
from healthpipe.storage.base import TEMPORARY
from healthpipe.storage.s3.requests import Requests, S3Uri, answered_at, keys, pages

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import DeleteTypeDef, MultipartUploadTypeDef

BATCH = 1000  # of one DeleteObjects
ACTION = "s3:DeleteObject"
# Lies in a folder that is being removed.
WITHDRAWN = f"{TEMPORARY}withdrawn"


class NotDeleted(Exception):
    """A key that DeleteObjects did not remove, with the service's answer as botocore has it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


def delete_keys(requests: Requests, bucket: str, keys: Iterable[str]) -> None:
    """Remove objects. Raises `UsageError` and `ServiceFailed` for the first that stays."""
    remaining = iter(keys)
    while batch := list(islice(remaining, BATCH)):
        raise_if_cancelled()
        listed: DeleteTypeDef = {"Objects": [{"Key": key} for key in batch], "Quiet": True}
        with translated_errors(ACTION, S3Uri(bucket, batch[0]).uri):
            answer = requests.s3.delete_objects(Bucket=bucket, Delete=listed, **requests.owned)
        for error in answer.get("Errors", []):
            failure = NotDeleted(error.get("Code", "UnknownError"))
            raise translate_error(failure, ACTION, S3Uri(bucket, error.get("Key", "")).uri)


def remove_atomically(requests: Requests, folder: S3Uri) -> None:
    """Remove a folder: first the files directly in it, which tell what it is, then the others.

    What a kill leaves holds a file named `.tmp-withdrawn`, by which `delete_temporary` knows it.
    """
    mark = f"{folder.inside}{WITHDRAWN}"
    found = [key for key in keys(requests, folder) if key != mark]
    if found:
        with translated_errors("s3:PutObject", S3Uri(folder.bucket, mark).uri):
            requests.s3.put_object(Bucket=folder.bucket, Key=mark, **requests.written)
    direct = [key for key in found if "/" not in key.removeprefix(folder.inside)]
    for some in (direct, [key for key in found if key not in set(direct)], [mark]):
        delete_keys(requests, folder.bucket, some)


def delete_temporary(requests: Requests, folder: S3Uri, idle_s: float) -> None:
    """Remove the objects below a folder that are named as temporary, folders that are half removed,
    and uploads in parts, in as far as nobody touched them for `idle_s` seconds.
    """
    left = []
    for page in pages(requests, folder):
        now = answered_at(page)
        for found in page.get("Contents", []):
            names = found["Key"].removeprefix(folder.inside).split("/")
            is_idle = (now - found["LastModified"]).total_seconds() >= idle_s
            if is_idle and any(name.startswith(TEMPORARY) for name in names):
                left.append(found["Key"])
    for key in left:
        parent, _, name = key.rpartition("/")
        if name == WITHDRAWN:
            remove_atomically(requests, S3Uri(folder.bucket, parent))
    delete_keys(requests, folder.bucket, left)
    _abort_uploads(requests, folder, idle_s)


def _abort_uploads(requests: Requests, folder: S3Uri, idle_s: float) -> None:
    with translated_errors("s3:ListBucketMultipartUploads", f"s3://{folder.bucket}"):
        pages = requests.s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=folder.bucket, Prefix=folder.inside, **requests.owned
        )
        uploads = [upload for page in pages for upload in page.get("Uploads", [])]
    for upload in uploads:
        raise_if_cancelled()
        place = S3Uri(folder.bucket, upload["Key"])
        if idle_s and _idle_s(requests, place, upload) < idle_s:
            continue
        with suppress(ObjectMissing), translated_errors("s3:AbortMultipartUpload", place.uri):
            requests.s3.abort_multipart_upload(
                Bucket=place.bucket, Key=place.key, UploadId=upload["UploadId"], **requests.owned
            )


def _idle_s(requests: Requests, place: S3Uri, upload: "MultipartUploadTypeDef") -> float:
    with translated_errors("s3:ListMultipartUploadParts", place.uri):
        pages = requests.s3.get_paginator("list_parts").paginate(
            Bucket=place.bucket, Key=place.key, UploadId=upload["UploadId"], **requests.owned
        )
        parts = [part["LastModified"] for page in pages for part in page.get("Parts", [])]
    last = max([upload["Initiated"], *parts])
    return (datetime.datetime.now(datetime.UTC) - last).total_seconds()
