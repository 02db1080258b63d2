"""Copies within S3, which S3 itself makes and tells the SHA-256 of."""

import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from healthpipe.aws.errors import failures_told
from healthpipe.cancellation import raise_if_stopping
from healthpipe.storage.base import COMPOSITE
from healthpipe.storage.s3.requests import Place, Requests

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
    requests: Requests, source: Place, target: Place, seen: "HeadObjectOutputTypeDef"
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
    with failures_told(ACTION, f"{target.uri} from {source.uri}"):
        answer = requests.s3.copy_object(
            Bucket=target.bucket, Key=target.key, **condition, **requests.written
        )
    return stored_sha256(answer["CopyObjectResult"])


def _in_parts(requests: Requests, target: Place, size: int, condition: dict[str, Any]) -> str:
    goal: Any = {"Bucket": target.bucket, "Key": target.key}
    with failures_told(ACTION, target.uri):
        upload = requests.s3.create_multipart_upload(
            **goal, **requests.written, ChecksumType="COMPOSITE"
        )
        goal = {**goal, **requests.owned, "UploadId": upload["UploadId"]}
        try:
            parts = _parts(requests, goal, size, condition)
            raise_if_stopping()
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
        raise_if_stopping()
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
