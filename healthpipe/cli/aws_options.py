"""The options that say how AWS is reached, declared once."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from healthpipe.aws.session import AthenaSettings, AwsAccess
from healthpipe.cli.options import environment, option
from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from healthpipe.storage.layout import Root


def check_owner(account: str | None) -> str | None:
    """An account id as given. Raises `UsageError` for what is none, before anything is done."""
    if account is not None and not re.fullmatch(r"[0-9]{12}", account):
        raise UsageError(f"--bucket-owner {account!r} is no account id", "give its 12 digits")
    return account


RegionOption = Annotated[
    str | None,
    option(
        "--region",
        envvar=environment("REGION"),
        help="AWS region.  (default: of an alert, its topic's)",
        show_default=False,
    ),
]
ProfileOption = Annotated[
    str | None,
    option(
        "--profile",
        envvar=environment("PROFILE"),
        help="AWS profile.  (default: as the AWS command line chooses it)",
        show_default=False,
    ),
]
KmsKeyOption = Annotated[
    str | None,
    option(
        "--kms-key",
        metavar="KEY",
        envvar=environment("KMS_KEY"),
        help="KMS key that encrypts what is written to S3.  (default: as the bucket says)",
        show_default=False,
    ),
]
BucketOwnerOption = Annotated[
    str | None,
    option(
        "--bucket-owner",
        metavar="ACCOUNT",
        envvar=environment("BUCKET_OWNER"),
        callback=check_owner,
        help="AWS account that has to own the buckets, for S3 to answer.",
        show_default=False,
    ),
]


def access_of(given: Mapping[str, Any]) -> AwsAccess:
    """How AWS is reached, by what a command was given."""
    return AwsAccess(*(given[name] for name in ("region", "profile", "kms_key", "bucket_owner")))


def athena_of(given: Mapping[str, Any]) -> AthenaSettings:
    """What Athena is told, as a command was given it."""
    return AthenaSettings(
        access_of(given),
        given["database"],
        given["workgroup"],
        given["athena_output"],
        given["max_bytes_scanned"],
    )


def root_of(given: Mapping[str, Any]) -> "Root":
    """The root that a command was given. Raises `UsageError`."""
    from healthpipe.storage.layout import open_root

    return open_root(given["root"], access_of(given))
