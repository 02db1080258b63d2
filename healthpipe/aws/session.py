"""How AWS is reached, and what Athena is told: plain settings, for the command line, too.

Clients of AWS's services: made when they are first needed, and once.

boto3 is loaded here, and only when a client is asked for.
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
    """With whose credentials, in which region, and what each request to S3 carries.

    Without `region` and `profile` boto3's own rules apply. `kms_key` encrypts what is written
    (SSE-KMS), `bucket_owner` is the account id that has to own the buckets.
    """

    region: str | None = None
    profile: str | None = None
    kms_key: str | None = None
    bucket_owner: str | None = None


@dataclass(frozen=True)
class AthenaSettings:
    """Where queries run. `output` is where Athena keeps results, an s3:// URI, unless the workgroup
    says so; `max_bytes_scanned` ends a run that has scanned more.
    """

    access: AwsAccess = field(default_factory=AwsAccess)
    database: str = DATABASE
    workgroup: str = WORKGROUP
    output: str | None = None
    max_bytes_scanned: int | None = None


# As many requests as one client has under way at once; the pieces of a file's transfer are many.
CONNECTIONS = 32
AMAZON = (".amazonaws.com", ".amazonaws.com.cn")


@dataclass(frozen=True)
class Patience:
    """How long a client waits for a connection and for an answer, and how often it tries in all."""

    connect_seconds: float = 10
    read_seconds: float = 60
    attempts: int = 5


_sessions: "dict[object, Session]" = {}
_clients: dict[object, Any] = {}
_making = threading.Lock()


@overload
def client(service: Literal["s3"], access: AwsAccess, patience: Patience = ...) -> "S3Client": ...
@overload
def client(service: Literal["sns"], access: AwsAccess, patience: Patience = ...) -> "SNSClient": ...
@overload
def client(service: Literal["sts"], access: AwsAccess, patience: Patience = ...) -> "STSClient": ...
@overload
def client(
    service: Literal["glue"], access: AwsAccess, patience: Patience = ...
) -> "GlueClient": ...
@overload
def client(
    service: Literal["athena"], access: AwsAccess, patience: Patience = ...
) -> "AthenaClient": ...
@overload
def client(
    service: Literal["lakeformation"], access: AwsAccess, patience: Patience = ...
) -> "LakeFormationClient": ...


def client(service: str, access: AwsAccess, patience: Patience = Patience()) -> Any:
    """The client of a service; any thread. It tries again as botocore's standard mode does.

    The same arguments give the same client while AWS's environment variables stay as they are.
    Raises `UsageError` for a missing region, credentials that cannot be looked up and the like.
    """
    key = (service, access.region, access.profile, patience, _environment())
    with _making:  # making a session is not safe in several threads
        if key not in _clients:
            with translated_errors(f"{service}:*", "*"):
                _clients[key] = _made(service, access, patience)
        return _clients[key]


def _made(service: str, access: AwsAccess, patience: Patience) -> Any:
    from botocore.exceptions import BotoCoreError

    try:
        return _session(access).client(service, config=_config(service, patience))  # type: ignore[call-overload]
    except ValueError as error:
        if isinstance(error, BotoCoreError):
            raise
        raise UsageError(
            "AWS_ENDPOINT_URL is no address", "give one like http://host:port"
        ) from error


def _session(access: AwsAccess) -> "Session":
    """What clients share: credentials, and what boto3 reads of each service's description."""
    from boto3.session import Session

    key = (access.region, access.profile, _environment())
    if key not in _sessions:
        _sessions[key] = Session(region_name=access.region, profile_name=access.profile)
    return _sessions[key]


def _environment() -> frozenset[tuple[str, str]]:
    return frozenset(item for item in os.environ.items() if item[0].startswith("AWS_"))


def _config(service: str, patience: Patience) -> "Config":
    from botocore.config import Config

    return Config(
        connect_timeout=patience.connect_seconds,
        read_timeout=patience.read_seconds,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        max_pool_connections=CONNECTIONS,
        s3={"addressing_style": "path"} if service == "s3" and _is_plain_host() else None,
    )


def _is_plain_host() -> bool:
    """Whether S3 is looked for at a host that knows no names like BUCKET.HOST."""
    url = os.environ.get("AWS_ENDPOINT_URL_S3", os.environ.get("AWS_ENDPOINT_URL"))
    return url is not None and not (urlsplit(url).hostname or "").endswith(AMAZON)
