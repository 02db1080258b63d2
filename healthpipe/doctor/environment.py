"""The checks of a run's environment.

- a local root: a folder that can be written, free space, DuckDB, input that can be read
- AWS: a region and credentials
- a root on S3: a bucket of the expected owner, conditional writes
- the Athena engine: a workgroup, a database, the grants of Lake Formation
- alerts by SNS: a topic with subscribers
- what is live: files as they were published
"""

import contextlib
import datetime
import os
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
from healthpipe.ingest.manifest import FOREIGN_LINK, OWN_FOLDER, SkippedFile
from healthpipe.ingest.sources import LocalSources
from healthpipe.publishing.pointer import read_live
from healthpipe.publishing.publish import require_intact
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root
from healthpipe.text import is_ahead, moment_text, suggested_command

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadBucketRequestTypeDef

MISSING = frozenset({ErrorKind.NOT_FOUND, ErrorKind.NO_BUCKET})
DENIED = frozenset({ErrorKind.DENIED})

Answer = TypeVar("Answer")


def call_or_none(
    action: str, resource: str, call: Callable[[], Answer], ignored: Container[ErrorKind] = MISSING
) -> Answer | None:
    """Call AWS and return its answer; None for an ignored kind of error.

    Raises other errors as `translated_errors` does.
    """
    from botocore.exceptions import ClientError

    with translated_errors(action, resource):
        try:
            return call()
        except ClientError as error:
            if error_kind(error) not in ignored:
                raise
            return None


IDENTITY = ("region", "credentials")
NO_CONDITIONAL_WRITES = CheckResult(
    "writing",
    Verdict.FAILED,
    "the storage does not honour conditional writes",
    "use S3 itself, or a storage that honours If-Match and If-None-Match",
)


def identity_checks(access: AwsAccess, *, needs_region: bool) -> list[Check]:
    """Return the checks of region and credentials; Athena `needs_region`, S3 works without."""
    return [
        Check("region", lambda: _check_region(access, needs_region=needs_region)),
        Check("credentials", lambda: _check_credentials(access), needs=("region",)),
    ]


def storage_checks(root: Root) -> list[Check]:
    """Return the checks of the root's bucket: its owner, reading, conditional writes."""
    return [
        Check("bucket", lambda: _check_bucket(root), needs=IDENTITY),
        Check("reading", lambda: _check_reading(root), needs=("bucket",)),
        Check("writing", lambda: _check_writing(root), needs=("bucket",)),
    ]


def _check_region(access: AwsAccess, *, needs_region: bool) -> str:
    service = client("athena", access) if needs_region else client("s3", access)
    return service.meta.region_name


def _check_credentials(access: AwsAccess) -> str:
    with translated_errors("sts:GetCallerIdentity", "the identity"):
        return client("sts", access).get_caller_identity()["Arn"]


def _check_bucket(root: Root) -> CheckResult | str:
    bucket, access = root.uri.removeprefix("s3://").partition("/")[0], root.access
    request: HeadBucketRequestTypeDef = {"Bucket": bucket}
    if access.bucket_owner:
        request["ExpectedBucketOwner"] = access.bucket_owner
    s3 = client("s3", access)
    answer = call_or_none("s3:ListBucket", f"s3://{bucket}", lambda: s3.head_bucket(**request))
    if answer is None:
        finding = f"there is no bucket {bucket}"
        return CheckResult("bucket", Verdict.FAILED, finding, "create it, or correct --root")
    region = answer.get("BucketRegion", s3.meta.region_name)
    if region != s3.meta.region_name:
        return CheckResult(
            "bucket",
            Verdict.WARNING,
            f"s3://{bucket} is in {region}, not {s3.meta.region_name}",
            f"give --region {region}: Athena reads what is in its own region",
        )
    owner = f", owned by {access.bucket_owner}" if access.bucket_owner else ""
    return f"s3://{bucket} in {region}{owner}"


def _check_reading(root: Root) -> str:
    file = next(iter(root.storage.list(root.raw)), None)
    if file is None:
        return f"nothing below {root.raw} yet"
    with root.storage.open(file.uri) as reader:
        reader.read(1)
    return f"{root.raw} can be listed and read"


def _check_writing(root: Root) -> CheckResult | str:
    """Check conditional writes with an object that is removed again."""
    uri = f"{root.state}/doctor-{uuid.uuid4().hex}"
    storage = root.storage
    try:
        etag = storage.put_if(uri, b"1", None)
        storage.put_if(uri, b"2", etag)
        with contextlib.suppress(PreconditionFailed):
            storage.put_if(uri, b"3", etag)
            return NO_CONDITIONAL_WRITES
    except PreconditionFailed:
        return NO_CONDITIONAL_WRITES
    finally:
        with contextlib.suppress(ServiceFailed):
            storage.delete(uri)
    return f"{root.uri} takes conditional writes"


# The principal of everyone whom IAM allows: with it Lake Formation adds no grants.
EVERYBODY = "IAM_ALLOWED_PRINCIPALS"


def athena_checks(settings: AthenaSettings) -> list[Check]:
    """Return the checks of Athena's workgroup and database."""
    return [
        Check("workgroup", lambda: _check_workgroup(settings), needs=IDENTITY),
        Check("database", lambda: _check_database(settings), needs=IDENTITY),
        Check("grants", lambda: _check_grants(settings), needs=("database",)),
    ]


def _check_workgroup(settings: AthenaSettings) -> CheckResult | str:
    from healthpipe.engines.athena.api import (
        has_managed_results,
        is_enforced,
        output_location,
        workgroup,
    )

    name, group = settings.workgroup, workgroup(settings)
    own_output = output_location(group)
    is_other = (own_output or "").rstrip("/") != settings.output
    overrides = has_managed_results(group) or (is_enforced(group) and is_other)
    if settings.output and overrides:
        finding = f"{name} decides itself where results lie: --athena-output has no effect"
        return CheckResult("workgroup", Verdict.WARNING, finding, "drop --athena-output")
    where = "managed by Athena" if has_managed_results(group) else settings.output or own_output
    return f"{name}; results are {where or 'below each run'}"


def _check_database(settings: AthenaSettings) -> CheckResult | str:
    glue, name = client("glue", settings.access), settings.database
    where = f"database {name}"
    if call_or_none("glue:GetDatabase", where, lambda: glue.get_database(Name=name)) is None:
        finding = f"{name} is not there yet; the first run makes it"
        fix = "allow glue:CreateDatabase, or create it"
        return CheckResult("database", Verdict.WARNING, finding, fix)
    with translated_errors("glue:GetTables", where):
        glue.get_tables(DatabaseName=name, MaxResults=1)
    return f"{name} can be read"


def _check_grants(settings: AthenaSettings) -> CheckResult | str:
    """Check whether Lake Formation grants anything on the database, where it controls it."""
    name = settings.database
    where = f"database {name}"
    principals = call_or_none(
        "lakeformation:ListPermissions", where, lambda: _principals(settings), DENIED | MISSING
    )
    if principals is None:
        finding = "Lake Formation does not say who may use the database"
        fix = "allow lakeformation:ListPermissions and GetDataLakeSettings to look, if you use it"
        return CheckResult("grants", Verdict.WARNING, finding, fix)
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
    """List the principals with grants on the database, or by default on new tables."""
    lake_formation = client("lakeformation", settings.access)
    resource: Any = {"Database": {"Name": settings.database}}
    granted = lake_formation.list_permissions(ResourceType="DATABASE", Resource=resource)
    defaults = lake_formation.get_data_lake_settings()["DataLakeSettings"]
    on_new_tables = defaults.get("CreateTableDefaultPermissions", [])
    permissions = (*granted["PrincipalResourcePermissions"], *on_new_tables)
    return {each["Principal"]["DataLakePrincipalIdentifier"] for each in permissions}


def published_checks(root: Root) -> list[Check]:
    """Return the check that the live files are what was published."""
    return [Check("published", lambda: _check_published(root), needs=("bucket",))]


def _check_published(root: Root) -> CheckResult | str:
    live = read_live(root).published
    if live is None:
        return "nothing is published yet"
    require_intact(root, live.files)
    if is_ahead(live.published_at, datetime.datetime.now(datetime.UTC)):
        return CheckResult(
            "published",
            Verdict.WARNING,
            f"{live.run_id} was published at {moment_text(live.published_at)}, in the future",
            "set this machine's clock, or that of the run was wrong: run again",
        )
    return f"the {len(live.files)} files of {live.run_id} are what was published"


LOW_SPACE_BYTES = 1_000_000_000


def local_checks(root: Root, engine: EngineName) -> list[Check]:
    """Return the checks of a root in a local folder: writing, free space, the engine."""
    return [
        Check("root", lambda: _check_root(root, engine)),
        Check("room", lambda: _check_room(root), needs=("root",)),
        Check("engine", _check_engine),
        Check("input", lambda: _check_input(root)),
    ]


def _check_root(root: Root, engine: EngineName) -> CheckResult | str:
    require_reachable_root(engine, root.uri)
    folder = Path(root.uri)
    existing = _existing_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=existing):  # permission bits are not everything
            pass
    except OSError as error:
        finding = f"{existing} cannot be written: {error.strerror}"
        return CheckResult(
            "root", Verdict.FAILED, finding, "correct permissions, or choose another --root"
        )
    return (
        f"{root.absolute_uri} can be written"
        if folder.exists()
        else f"{root.absolute_uri} will be made"
    )


def _check_room(root: Root) -> CheckResult | str:
    free = shutil.disk_usage(_existing_folder(Path(root.uri))).free
    finding = f"{free / 1e9:.1f} GB free"
    if free < LOW_SPACE_BYTES:
        return CheckResult(
            "room", Verdict.WARNING, finding, "free space: results and copies need some"
        )
    return finding


def _existing_folder(folder: Path) -> Path:
    """Return a folder, or its nearest parent that exists."""
    absolute = folder.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.exists())


def _check_input(root: Root) -> CheckResult | str:
    """Look whether all folders of the root's input can be listed, its files opened, and its links
    followed.

    Raises `SourceDenied` and `ServiceFailed`.
    """
    skipped: list[SkippedFile] = []
    files = list(LocalSources(root, skipped).files(root.raw) or ())
    links = [file for file in skipped if file.reason in (FOREIGN_LINK, OWN_FOLDER)]
    if not files and not links:
        return f"nothing to read below {root.raw} yet"
    unreadable = [file.uri for file in files if not os.access(file.uri, os.R_OK)]
    if unreadable:
        more = f" and {len(unreadable) - 1} more" if len(unreadable) > 1 else ""
        return CheckResult(
            "input", Verdict.WARNING, f"{unreadable[0]}{more} cannot be read", "correct permissions"
        )
    if links:
        finding = f"{links[0].uri} is not followed: it is {links[0].reason}"
        fix = "have this user own the link (`chown -h`), or remove it"
        if links[0].reason == OWN_FOLDER:
            fix = "remove it: what healthpipe has written is no input"
        return CheckResult("input", Verdict.WARNING, finding, fix)
    return f"{root.raw} can be listed and read"


def _check_engine() -> str:
    import duckdb

    return f"DuckDB {duckdb.__version__}"


def topic_checks(topic: str, access: AwsAccess) -> list[Check]:
    """Return the check of the alerts' topic; only `alert --test` shows whether messages arrive."""
    return [Check("topic", lambda: _check_topic(topic, access), needs=IDENTITY)]


def _check_topic(topic: str, access: AwsAccess) -> CheckResult | str:
    topic_access = AwsAccess(access.region or region_of(topic), access.profile)
    sns = client("sns", topic_access)
    answer = call_or_none(
        "sns:GetTopicAttributes", topic, lambda: sns.get_topic_attributes(TopicArn=topic)
    )
    if answer is None:
        finding = f"there is no topic {topic}"
        return CheckResult("topic", Verdict.FAILED, finding, "create it, or correct --sns-topic")
    subscribers = int(answer["Attributes"].get("SubscriptionsConfirmed", 0))
    if not subscribers:
        fix = "subscribe somebody, and have the subscription confirmed"
        return CheckResult("topic", Verdict.WARNING, f"{topic} has no subscribers", fix)
    count = "1 subscriber" if subscribers == 1 else f"{subscribers} subscribers"
    test = suggested_command("alert", test=True, sns_topic=topic, **vars(access))
    return f"{topic} has {count}; `{test}` sends a message"
