"""Delete objects of S3, many at once, and multipart uploads that nobody will complete."""

import datetime
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from healthpipe.aws.errors import translate_error, translated_errors
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.errors import ObjectMissing
from healthpipe.storage.base import TEMPORARY
from healthpipe.storage.s3.requests import Requests, S3Uri, list_keys, list_pages, response_time

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import DeleteTypeDef, MultipartUploadTypeDef

# The most keys of one request: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
BATCH_KEYS = 1000
ACTION = "s3:DeleteObject"
# The name of the object that marks a folder as being removed.
WITHDRAWN = f"{TEMPORARY}withdrawn"


class NotDeleted(Exception):
    """A key that DeleteObjects did not delete; `response` has the code as botocore's errors do."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


def delete_keys(requests: Requests, bucket: str, keys: Iterable[str]) -> None:
    """Delete objects. Raises `UsageError` or `ServiceFailed` for the first that S3 keeps."""
    remaining = iter(keys)
    while batch := list(islice(remaining, BATCH_KEYS)):
        raise_if_cancelled()
        body: DeleteTypeDef = {"Objects": [{"Key": key} for key in batch], "Quiet": True}
        with translated_errors(ACTION, S3Uri(bucket, batch[0]).uri):
            response = requests.s3.delete_objects(Bucket=bucket, Delete=body, **requests.owner)
        for error in response.get("Errors", []):
            failure = NotDeleted(error.get("Code", "UnknownError"))
            raise translate_error(failure, ACTION, S3Uri(bucket, error.get("Key", "")).uri)


def remove_atomically(requests: Requests, folder: S3Uri) -> None:
    """Remove a folder: first the files directly in it, which tell what it is, then the others.

    What a kill leaves holds a file named `.tmp-withdrawn`, by which `delete_temporary` knows it.
    """
    mark = f"{folder.folder_prefix}{WITHDRAWN}"
    keys = [key for key in list_keys(requests, folder) if key != mark]
    if keys:
        with translated_errors("s3:PutObject", S3Uri(folder.bucket, mark).uri):
            requests.s3.put_object(Bucket=folder.bucket, Key=mark, **requests.write_options)
    direct = [key for key in keys if "/" not in key.removeprefix(folder.folder_prefix)]
    for group in (direct, [key for key in keys if key not in set(direct)], [mark]):
        delete_keys(requests, folder.bucket, group)


def delete_temporary(requests: Requests, folder: S3Uri, idle_s: float) -> None:
    """Delete what dead writers left below a folder and nobody has written to for `idle_s` seconds:
    objects with temporary names, folders that are half removed, and multipart uploads.
    """
    temporary = []
    for page in list_pages(requests, folder):
        now = response_time(page)
        for item in page.get("Contents", []):
            names = item["Key"].removeprefix(folder.folder_prefix).split("/")
            is_idle = (now - item["LastModified"]).total_seconds() >= idle_s
            if is_idle and any(name.startswith(TEMPORARY) for name in names):
                temporary.append(item["Key"])
    for key in temporary:
        parent, _, name = key.rpartition("/")
        if name == WITHDRAWN:
            remove_atomically(requests, S3Uri(folder.bucket, parent))
    delete_keys(requests, folder.bucket, temporary)
    _abort_uploads(requests, folder, idle_s)


def _abort_uploads(requests: Requests, folder: S3Uri, idle_s: float) -> None:
    """Abort the multipart uploads below a folder that have been idle for `idle_s` seconds."""
    with translated_errors("s3:ListBucketMultipartUploads", f"s3://{folder.bucket}"):
        pages = requests.s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=folder.bucket, Prefix=folder.folder_prefix, **requests.owner
        )
        uploads = [upload for page in pages for upload in page.get("Uploads", [])]
    for upload in uploads:
        raise_if_cancelled()
        target = S3Uri(folder.bucket, upload["Key"])
        if idle_s and _idle_s(requests, target, upload) < idle_s:
            continue
        with suppress(ObjectMissing), translated_errors("s3:AbortMultipartUpload", target.uri):
            requests.s3.abort_multipart_upload(
                Bucket=target.bucket, Key=target.key, UploadId=upload["UploadId"], **requests.owner
            )


def _idle_s(requests: Requests, target: S3Uri, upload: "MultipartUploadTypeDef") -> float:
    """The seconds since the last part of a multipart upload, or its start, by our own clock."""
    with translated_errors("s3:ListMultipartUploadParts", target.uri):
        pages = requests.s3.get_paginator("list_parts").paginate(
            Bucket=target.bucket, Key=target.key, UploadId=upload["UploadId"], **requests.owner
        )
        parts = [part["LastModified"] for page in pages for part in page.get("Parts", [])]
    last = max([upload["Initiated"], *parts])
    return (datetime.datetime.now(datetime.UTC) - last).total_seconds()
