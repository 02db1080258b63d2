"""Settings of AWS access and of Athena, and one boto3 client for each service and setting.

boto3 is imported when the first client is created, so that the command line can use the settings
without it.
"""

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import urlsplit

from healthpipe.aws.errors import translated_errors
from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_lakeformation import LakeFormationClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sts import STSClient

DATABASE, WORKGROUP = "healthpipe", "primary"


@dataclass(frozen=True)
class AwsAccess:
    """Region, credentials profile, and the parameters that each request to S3 carries.

    Without `region` and `profile` boto3's own rules apply. `kms_key` encrypts written objects
    (SSE-KMS); `bucket_owner` is the account id that has to own the buckets.
    """

    region: str | None = None
    profile: str | None = None
    kms_key: str | None = None
    bucket_owner: str | None = None


@dataclass(frozen=True)
class AthenaSettings:
    """Database, workgroup and limits of a run's queries.

    `output` is the s3:// URI of query results, unless the workgroup sets one. A run whose queries
    have scanned more than `max_bytes_scanned` ends.
    """

    access: AwsAccess = field(default_factory=AwsAccess)
    database: str = DATABASE
    workgroup: str = WORKGROUP
    output: str | None = None
    max_bytes_scanned: int | None = None


# The size of a client's connection pool: a file is transferred in many parts at once.
CONNECTIONS = 32
AMAZON = (".amazonaws.com", ".amazonaws.com.cn")


@dataclass(frozen=True)
class Timeouts:
    """A client's timeouts for connecting and for reading, in seconds, and its attempts in all."""

    connect_s: float = 10
    read_s: float = 60
    attempts: int = 5


_sessions: "dict[object, Session]" = {}
_clients: dict[object, Any] = {}
_creating = threading.Lock()


@overload
def client(service: Literal["s3"], access: AwsAccess, timeouts: Timeouts = ...) -> "S3Client": ...
@overload
def client(service: Literal["sns"], access: AwsAccess, timeouts: Timeouts = ...) -> "SNSClient": ...
@overload
def client(service: Literal["sts"], access: AwsAccess, timeouts: Timeouts = ...) -> "STSClient": ...
@overload
def client(
    service: Literal["glue"], access: AwsAccess, timeouts: Timeouts = ...
) -> "GlueClient": ...
@overload
def client(
    service: Literal["athena"], access: AwsAccess, timeouts: Timeouts = ...
) -> "AthenaClient": ...
@overload
def client(
    service: Literal["lakeformation"], access: AwsAccess, timeouts: Timeouts = ...
) -> "LakeFormationClient": ...


def client(service: str, access: AwsAccess, timeouts: Timeouts = Timeouts()) -> Any:
    """The boto3 client of a service, which retries as botocore's standard mode does. Any thread.

    The same arguments give the same client while AWS's environment variables stay as they are.
    Raises `UsageError` for a missing region, credentials that cannot be looked up and the like.
    """
    key = (service, access.region, access.profile, timeouts, _environment())
    with _creating:  # sessions are not thread-safe
        if key not in _clients:
            with translated_errors(f"{service}:*", "*"):
                _clients[key] = _create_client(service, access, timeouts)
        return _clients[key]


def _create_client(service: str, access: AwsAccess, timeouts: Timeouts) -> Any:
    from botocore.exceptions import BotoCoreError

    try:
        return _session(access).client(service, config=_config(service, timeouts))  # type: ignore[call-overload]
    except ValueError as error:
        if isinstance(error, BotoCoreError):
            raise
        raise UsageError(
            "AWS_ENDPOINT_URL is no address", "give one like http://host:port"
        ) from error


def _session(access: AwsAccess) -> "Session":
    """The session that clients share: credentials, and boto3's descriptions of the services."""
    from boto3.session import Session

    key = (access.region, access.profile, _environment())
    if key not in _sessions:
        _sessions[key] = Session(region_name=access.region, profile_name=access.profile)
    return _sessions[key]


def _environment() -> frozenset[tuple[str, str]]:
    """AWS's environment variables."""
    return frozenset(item for item in os.environ.items() if item[0].startswith("AWS_"))


def _config(service: str, timeouts: Timeouts) -> "Config":
    from botocore.config import Config

    return Config(
        connect_timeout=timeouts.connect_s,
        read_timeout=timeouts.read_s,
        retries={"mode": "standard", "total_max_attempts": timeouts.attempts},
        max_pool_connections=CONNECTIONS,
        s3={"addressing_style": "path"} if service == "s3" and _is_plain_host() else None,
    )


def _is_plain_host() -> bool:
    """Whether S3 is reached at a host without virtual-hosted names like BUCKET.HOST."""
    url = os.environ.get("AWS_ENDPOINT_URL_S3", os.environ.get("AWS_ENDPOINT_URL"))
    return url is not None and not (urlsplit(url).hostname or "").endswith(AMAZON)
