"""Asking AWS for what may not be there, or may not be looked at.

What a root on S3 needs: an identity, a bucket that is ours, and the writes that runs rest on.

What the Athena engine needs: a workgroup, a database, and the grants of Lake Formation.

What a root on this machine needs.

What alerts by SNS need: a topic that somebody listens to.
"""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Container
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from healthpipe.alerts.channels import region_of
from healthpipe.aws.errors import ErrorKind, error_kind, translated_errors
from healthpipe.aws.session import AthenaSettings, AwsAccess, client
from healthpipe.choices import EngineName
from healthpipe.doctor.checks import Check, CheckResult, Verdict
from healthpipe.engines import require_reachable_root
from healthpipe.errors import ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadBucketRequestTypeDef

MISSING = frozenset({ErrorKind.NOT_FOUND, ErrorKind.NO_BUCKET})
DENIED = frozenset({ErrorKind.DENIED})

Answer = TypeVar("Answer")


def call_or_none(
    action: str, resource: str, call: Callable[[], Answer], unless: Container[ErrorKind] = MISSING
) -> Answer | None:
    """What a call answers; None where it fails as `unless` says. Other failures are raised as
    `translated_errors` does.
    """
    from botocore.exceptions import ClientError

    with translated_errors(action, resource):
        try:
            return call()
        except ClientError as error:
            if error_kind(error) not in unless:
                raise
            return None


IDENTITY = ("region", "credentials")
UNCONDITIONAL = CheckResult(
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
    with translated_errors("sts:GetCallerIdentity", "the identity"):
        return client("sts", access).get_caller_identity()["Arn"]


def _bucket(root: Root) -> CheckResult | str:
    bucket, access = root.uri.removeprefix("s3://").partition("/")[0], root.access
    request: HeadBucketRequestTypeDef = {"Bucket": bucket}
    if access.bucket_owner:
        request["ExpectedBucketOwner"] = access.bucket_owner
    s3 = client("s3", access)
    found = call_or_none("s3:ListBucket", f"s3://{bucket}", lambda: s3.head_bucket(**request))
    if found is None:
        told = f"there is no bucket {bucket}"
        return CheckResult("bucket", Verdict.FAILED, told, "create it, or mend --root")
    region = found.get("BucketRegion", s3.meta.region_name)
    if region != s3.meta.region_name:
        return CheckResult(
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


def _writing(root: Root) -> CheckResult | str:
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


# The principal that stands for whoever IAM allows: with it Lake Formation adds no grants.
EVERYBODY = "IAM_ALLOWED_PRINCIPALS"


def athena_checks(settings: AthenaSettings) -> list[Check]:
    """The checks of the settings of Athena."""
    return [
        Check("workgroup", lambda: _workgroup(settings), needs=IDENTITY),
        Check("database", lambda: _database(settings), needs=IDENTITY),
        Check("grants", lambda: _grants(settings), needs=("database",)),
    ]


def _workgroup(settings: AthenaSettings) -> CheckResult | str:
    from healthpipe.engines.athena.api import (
        has_managed_results,
        is_enforced,
        output_location,
        workgroup,
    )

    name, known = settings.workgroup, workgroup(settings)
    own = output_location(known)
    is_other = (own or "").rstrip("/") != settings.output
    overrides = has_managed_results(known) or (is_enforced(known) and is_other)
    if settings.output and overrides:
        told = f"{name} decides itself where results lie: --athena-output has no effect"
        return CheckResult("workgroup", Verdict.WARNING, told, "drop --athena-output")
    where = "managed by Athena" if has_managed_results(known) else settings.output or own
    return f"{name}; results are {where or 'below each run'}"


def _database(settings: AthenaSettings) -> CheckResult | str:
    glue, name = client("glue", settings.access), settings.database
    where = f"database {name}"
    if call_or_none("glue:GetDatabase", where, lambda: glue.get_database(Name=name)) is None:
        told = f"{name} is not there yet; the first run makes it"
        fix = "allow glue:CreateDatabase, or create it"
        return CheckResult("database", Verdict.WARNING, told, fix)
    with translated_errors("glue:GetTables", where):
        glue.get_tables(DatabaseName=name, MaxResults=1)
    return f"{name} can be read"


def _grants(settings: AthenaSettings) -> CheckResult | str:
    """Where Lake Formation guards the database, whether it grants anything on it."""
    name = settings.database
    where = f"database {name}"
    principals = call_or_none(
        "lakeformation:ListPermissions", where, lambda: _principals(settings), DENIED | MISSING
    )
    if principals is None:
        told = "Lake Formation does not say who may use the database"
        fix = "allow lakeformation:ListPermissions and GetDataLakeSettings to look, if you use it"
        return CheckResult("grants", Verdict.WARNING, told, fix)
    if EVERYBODY in principals:
        return "Lake Formation leaves it to IAM"
    if principals:
        return f"Lake Formation grants {len(principals)} principals access to {name}"
    return CheckResult(
        "grants",
        Verdict.WARNING,
        f"Lake Formation tells of no grants on {name}",
        "if queries are refused, grant the identity CREATE_TABLE, DESCRIBE and SELECT there",
    )


def _principals(settings: AthenaSettings) -> set[str]:
    """Who was granted anything on the database, or is on new tables."""
    lake = client("lakeformation", settings.access)
    resource: Any = {"Database": {"Name": settings.database}}
    granted = lake.list_permissions(ResourceType="DATABASE", Resource=resource)
    defaults = lake.get_data_lake_settings()["DataLakeSettings"]
    on_new = defaults.get("CreateTableDefaultPermissions", [])
    both = (*granted["PrincipalResourcePermissions"], *on_new)
    return {each["Principal"]["DataLakePrincipalIdentifier"] for each in both}


LITTLE_ROOM = 1_000_000_000


def local_checks(root: Root, engine: EngineName) -> list[Check]:
    """The checks of a root in a local folder, for an engine."""
    return [
        Check("root", lambda: _root(root, engine)),
        Check("room", lambda: _room(root), needs=("root",)),
        Check("engine", _engine),
    ]


def _root(root: Root, engine: EngineName) -> CheckResult | str:
    require_reachable_root(engine, root.uri)
    folder = Path(root.uri)
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):  # the permission bits do not tell everything
            pass
    except OSError as error:
        told = f"{there} cannot be written: {error.strerror}"
        return CheckResult(
            "root", Verdict.FAILED, told, "mend permissions, or choose another --root"
        )
    return f"{root.place} can be written" if folder.exists() else f"{root.place} will be made"


def _room(root: Root) -> CheckResult | str:
    folder = Path(root.uri).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / 1e9:.1f} GB free"
    if free < LITTLE_ROOM:
        return CheckResult(
            "room", Verdict.WARNING, told, "free space: results and copies need some"
        )
    return told


def _engine() -> str:
    import duckdb

    return f"DuckDB {duckdb.__version__}"


def topic_checks(topic: str, access: AwsAccess) -> list[Check]:
    """The check of the topic that alerts go to; that it takes one is for `alert --test` to see."""
    return [Check("topic", lambda: _topic(topic, access), needs=IDENTITY)]


def _topic(topic: str, access: AwsAccess) -> CheckResult | str:
    there = AwsAccess(access.region or region_of(topic), access.profile)
    sns = client("sns", there)
    answer = call_or_none(
        "sns:GetTopicAttributes", topic, lambda: sns.get_topic_attributes(TopicArn=topic)
    )
    if answer is None:
        told = f"there is no topic {topic}"
        return CheckResult("topic", Verdict.FAILED, told, "create it, or mend --sns-topic")
    listening = int(answer["Attributes"].get("SubscriptionsConfirmed", 0))
    if not listening:
        fix = "subscribe somebody, and have the subscription confirmed"
        return CheckResult("topic", Verdict.WARNING, f"{topic} has no subscribers", fix)
    many = "1 subscriber" if listening == 1 else f"{listening} subscribers"
    return f"{topic} has {many}; `healthpipe alert --test` sends a message"
