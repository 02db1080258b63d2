"""What a root on S3 needs: an identity, a bucket that is ours, and the writes that runs rest on."""

import contextlib
import uuid
from typing import TYPE_CHECKING

from healthpipe.aws.access import AwsAccess
from healthpipe.aws.errors import failures_told
from healthpipe.aws.session import client
from healthpipe.doctor.asking import asked
from healthpipe.doctor.checks import Check, Finding, Verdict
from healthpipe.errors import ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadBucketRequestTypeDef

IDENTITY = ("region", "credentials")
UNCONDITIONAL = Finding(
    "writing",
    Verdict.FAILED,
    "the storage does not honour conditional writes",
    "use S3 itself, or a storage that honours If-Match and If-None-Match",
)


def identity_checks(access: AwsAccess, *, is_bound: bool) -> list[Check]:
    """Whether AWS is reached at all; `is_bound` to a region, for what has no address without."""
    return [
        Check("region", lambda: _region(access, is_bound=is_bound)),
        Check("credentials", lambda: _credentials(access), needs=("region",)),
    ]


def storage_checks(root: Root) -> list[Check]:
    """Whether the root's bucket is there, ours, and can be read and written as runs do."""
    return [
        Check("bucket", lambda: _bucket(root), needs=IDENTITY),
        Check("reading", lambda: _reading(root), needs=("bucket",)),
        Check("writing", lambda: _writing(root), needs=("bucket",)),
    ]


def _region(access: AwsAccess, *, is_bound: bool) -> str:
    service = client("athena", access) if is_bound else client("s3", access)
    return service.meta.region_name


def _credentials(access: AwsAccess) -> str:
    with failures_told("sts:GetCallerIdentity", "the identity"):
        return client("sts", access).get_caller_identity()["Arn"]


def _bucket(root: Root) -> Finding | str:
    bucket, access = root.uri.removeprefix("s3://").partition("/")[0], root.access
    request: HeadBucketRequestTypeDef = {"Bucket": bucket}
    if access.bucket_owner:
        request["ExpectedBucketOwner"] = access.bucket_owner
    s3 = client("s3", access)
    found = asked("s3:ListBucket", f"s3://{bucket}", lambda: s3.head_bucket(**request))
    if found is None:
        told = f"there is no bucket {bucket}"
        return Finding("bucket", Verdict.FAILED, told, "create it, or mend --root")
    region = found.get("BucketRegion", s3.meta.region_name)
    if region != s3.meta.region_name:
        return Finding(
            "bucket",
            Verdict.WARNING,
            f"s3://{bucket} is in {region}, not {s3.meta.region_name}",
            f"give --region {region}: Athena reads what is in its own region",
        )
    owner = f", owned by {access.bucket_owner}" if access.bucket_owner else ""
    return f"s3://{bucket} in {region}{owner}"


def _reading(root: Root) -> str:
    found = next(iter(root.storage.list(root.raw)), None)
    if found is None:
        return f"nothing below {root.raw} yet"
    with root.storage.open(found.uri) as reader:
        reader.read(1)
    return f"{root.raw} can be listed and read"


def _writing(root: Root) -> Finding | str:
    """Write an object as the pointer is written, and remove it."""
    uri = f"{root.state}/doctor-{uuid.uuid4().hex}"
    storage = root.storage
    try:
        etag = storage.put_if(uri, b"1", None)
        storage.put_if(uri, b"2", etag)
        with contextlib.suppress(PreconditionFailed):
            storage.put_if(uri, b"3", etag)
            return UNCONDITIONAL
    except PreconditionFailed:
        return UNCONDITIONAL
    finally:
        with contextlib.suppress(ServiceFailed):
            storage.delete(uri)
    return f"{root.uri} takes conditional writes"
